"""What regexes hate: for every pattern of ours, texts that nearly match it, with each of its repetitions run long.

The texts are derived from the patterns themselves (Python's own parser of them), so a new pattern is attacked from the
day it is written.
"""

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from random import Random
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from .patience import Hanging, patience

_CATEGORY = {
    op.CATEGORY_DIGIT: "7",
    op.CATEGORY_NOT_DIGIT: "x",
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_NOT_SPACE: "x",
    op.CATEGORY_WORD: "a",
    op.CATEGORY_NOT_WORD: "-",
}
_TRIES = "x7 a-=.:,/|'\"%([{\t_Z@\u2501\u6570"
ENDS = ("", "\x01", "!", "x", " ", "7", ":", "\u2501")
"""What may stand behind a long repetition so that the match fails in the end."""


@dataclass(frozen=True, slots=True)
class Attack:
    """`head`, then `unit` again and again, then `end`."""

    pattern: str
    where: str
    head: str
    unit: str
    end: str

    def text(self, chars: int) -> str:
        """About so many characters of it."""
        return self.head + self.unit * max(1, chars // max(1, len(self.unit))) + self.end


def patterns(package: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Every compiled pattern at module level below a package, also inside its tables, with where it stands."""
    root = importlib.import_module(package)
    names = [package]
    if hasattr(root, "__path__"):
        names += [
            m.name for m in pkgutil.walk_packages(root.__path__, f"{package}.") if not m.name.endswith("__main__")
        ]
    seen: set[int] = set()
    for name in names:
        for attribute, value in vars(importlib.import_module(name)).items():
            for found in _inside(value, 0):
                if id(found) not in seen:
                    seen.add(id(found))
                    yield f"{name}.{attribute}", found


def _inside(value: Any, depth: int) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield value
    elif depth < 6 and isinstance(value, Mapping):
        for each in value.values():
            yield from _inside(each, depth + 1)
    elif depth < 6 and isinstance(value, Sequence | frozenset | set) and not isinstance(value, str | bytes):
        for each in value:
            yield from _inside(each, depth + 1)
    elif depth < 6 and is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _inside(getattr(value, each.name, None), depth + 1)


def attacks(where: str, pattern: re.Pattern[str], rng: Random) -> Iterator[Attack]:
    """Texts that make this pattern work."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    for head, unit in _pumps(tree, "", rng):
        if unit:
            for end in rng.sample(ENDS, 3):
                yield Attack(pattern.pattern, where, head, unit, end)


def uses(package: str) -> dict[str, frozenset[str]]:
    """By a pattern's name: the methods that the package calls on it (`match` stands for `fullmatch` too)."""
    folder = Path(str(importlib.import_module(package).__file__)).parent
    text = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    found: dict[str, set[str]] = {}
    for name, method in re.findall(r"\b(\w+)\.(match|fullmatch|search|finditer|findall|sub|split)\b", text):
        found.setdefault(name, set()).add("match" if "match" in method else "search")
    return {name: frozenset(methods) for name, methods in found.items()}


def steep(pattern: re.Pattern[str], methods: frozenset[str], attack: Attack) -> bool:
    """Whether the pattern alone takes more than four times as long for twice the text."""
    for method in methods:
        call, times = getattr(pattern, method), []
        for size in (500, 1_000, 2_000, 4_000):
            text, began = attack.text(size), time.thread_time()
            try:
                with patience(0.05):
                    call(text)
            except Hanging:
                return True
            times.append(time.thread_time() - began)
        if times[3] > 0.001 and times[3] > 3 * times[2]:
            return True
    return False


def _pumps(tree: Any, before: str, rng: Random) -> Iterator[tuple[str, str]]:
    """For every repetition in a pattern: a text that leads to it, and one turn of it."""
    head = before
    for kind, value in tree:
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, getattr(op, "POSSESSIVE_REPEAT", None)):
            _least, most, body = value
            if most > 8:
                for _ in range(3):
                    yield head, _sample(body, rng)
            yield from _pumps(body, head, rng)
        elif kind is op.SUBPATTERN:
            yield from _pumps(value[3], head, rng)
        elif kind is op.BRANCH:
            for branch in value[1]:
                yield from _pumps(branch, head, rng)
        elif kind in (op.ASSERT, op.ASSERT_NOT):
            yield from _pumps(value[1], head, rng)
        elif kind is getattr(op, "ATOMIC_GROUP", None):
            yield from _pumps(value, head, rng)
        head += _sample([(kind, value)], rng)


def _sample(tree: Any, rng: Random) -> str:
    """A text that the pattern would match (nearly: what looks around is not obeyed)."""
    out = []
    for kind, value in tree:
        if kind is op.LITERAL:
            out.append(chr(value))
        elif kind is op.NOT_LITERAL:
            out.append(next(c for c in _TRIES if ord(c) != value))
        elif kind is op.ANY:
            out.append(rng.choice("x 7a=:"))
        elif kind is op.IN:
            out.append(_one_of(value, rng))
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT, getattr(op, "POSSESSIVE_REPEAT", None)):
            least, most, body = value
            out += [_sample(body, rng) for _ in range(min(max(least, rng.randint(0, 2)), most, 64))]
        elif kind is op.SUBPATTERN:
            out.append(_sample(value[3], rng))
        elif kind is op.BRANCH:
            out.append(_sample(rng.choice(value[1]), rng))
        elif kind is getattr(op, "ATOMIC_GROUP", None):
            out.append(_sample(value, rng))
    return "".join(out)


def _one_of(choices: Any, rng: Random) -> str:
    """A character of a class."""
    positive = [item for item in choices if item[0] is not op.NEGATE]
    if len(positive) != len(choices):
        inner = re.compile("[" + "".join(map(_class_text, positive)) + "]")
        fitting = [c for c in _TRIES if not inner.match(c)]
        return rng.choice(fitting) if fitting else "\u2603"
    kind, value = rng.choice(positive)
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.RANGE:
        return chr(rng.randint(value[0], min(value[1], value[0] + 30)))
    return _CATEGORY.get(value, "x")


def _class_text(item: Any) -> str:
    kind, value = item
    if kind is op.LITERAL:
        return re.escape(chr(value))
    if kind is op.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    return {
        op.CATEGORY_DIGIT: r"\d",
        op.CATEGORY_NOT_DIGIT: r"\D",
        op.CATEGORY_SPACE: r"\s",
        op.CATEGORY_NOT_SPACE: r"\S",
        op.CATEGORY_WORD: r"\w",
        op.CATEGORY_NOT_WORD: r"\W",
    }[value]
