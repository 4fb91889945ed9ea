"""What the numbers of one message are: the names before them, the units behind them, and what neither can be."""

import re
from dataclasses import dataclass

from .vocabulary import POSITIONS, kind, normal, words

NUMBER = re.compile(
    r"(?<![\w.@])(?P<number>[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
    r"|[-+]?(?:nan|inf(?:inity)?)(?![\w.]))",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"(?:%|(?:ms|us|µs|ns|s|m|h|sec|secs|seconds|min|[KMGTkmgt]i?B|[kKMGT]|B|b|GB|MB|KB|it|px|MiB|GiB|W|C|Hz|[KMG]Hz|x)(?![\w])"
    r"|(?:it|iter|step|sample|samples|img|images|tok|tokens|batch|examples)s?/s|s/|ms/|us/|/s\b|[A-Za-z_])"
)
_DELIMITER = re.compile(
    r"[,;|\t(){}\[\]<>\"`]|(?<!\w)'|'(?!\w)|\s-+\s|\s{2,}|->|=>|[-=*#]{2,}|[━-╿█-▏]+|:\s|:$|(?<=[^\w])\*\s"
)
_PROSE = frozenset(
    [
        "from",
        "of",
        "the",
        "is",
        "was",
        "to",
        "with",
        "in",
        "at",
        "for",
        "by",
        "be",
        "will",
        "and",
        "or",
        "a",
        "an",
        "than",
        "about",
    ]
)
_NAME = re.compile(r"[^\W\d][\w@./'\-+#]*(?: [^\W\d(][\w@./'\-+#)]*){0,3}$|#$|[^\W\d][\w@./'\-+]*$")
_SPLIT_LINE = re.compile(
    r"\W*(test|val|valid|validation|eval|evaluation|dev)(?:\s+(?:set|results?|metrics?))?\s*[:|\]-]\s*(?=\D)",
    re.IGNORECASE,
)
_BRACKETED = re.compile(
    r"\bepoch\s*(?:\(\w+\))?\s*:?\s*\[\s*(\d+)\s*(?:/\s*\d+)?\s*\]\s*(?:\[\s*(\d+)\s*/\s*\d+\s*\])?", re.IGNORECASE
)
_ROUND = re.compile(r"\[(\d+)\][\t:]|(\d+):\s*learn:")
_TUTORIAL = re.compile(r"\[(\d+),\s*(\d+)\]\s")
_OF_ALL = re.compile(r"\W*(?P<name>\w*accuracy) of [^:=]{1,80}[:=]\s*(?P<number>\d+(?:\.\d+)?)\s*%", re.IGNORECASE)
_COUNTED = re.compile(r"(?:train|training|val|validation|test|eval)\s*:\s*(\d+)\s+\[\s*(\d+)/", re.IGNORECASE)
_BAR_COUNT = re.compile(r"\|\s*(\d+)/\d+ ")
_RATIO = re.compile(r"/(\d+)\s*\(\s*[\d.]+\s*%\)")
_HELD_OUT = frozenset(("test", "val", "valid", "validation", "eval", "evaluation"))


@dataclass(frozen=True, slots=True)
class Step:
    """A number at `at` is `name`, in this field of a reading; as a percentage of the number at `of`, if not -1."""

    field: str
    name: str
    at: int
    of: int = -1


class Study:
    """Finds out what the numbers of one message are."""

    def __init__(self, text: str, *, known_only: bool) -> None:
        self._text = text
        self._known_only = known_only
        self._found: dict[tuple[str, str], Step] = {}
        self._split = ""
        self._boosting = False

    def steps(self) -> list[Step]:
        """What was found, positions first."""
        text = self._text
        if match := _SPLIT_LINE.match(text):
            self._split = match[1].lower() + " "
        if match := _BRACKETED.search(text) or _TUTORIAL.match(text) or _COUNTED.match(text):
            self._add("positions", "epoch", match.start(1))
            if match[2]:
                self._add("positions", "step", match.start(2))
        if match := _ROUND.match(text):
            self._boosting = True
            self._add("positions", "step", match.start(1) if match[1] else match.start(2))
        if match := _OF_ALL.match(text):
            self._add("metrics", match["name"], match.start("number"))
        else:
            last = 0
            for match in NUMBER.finditer(text):
                gap = text[last : match.start()]
                last = match.end()
                if gap and len(gap) <= 200:
                    self._pair(gap, match)
        if "%|" in text and ("positions", "step") not in self._found and (bar := _BAR_COUNT.search(text)):
            self._add("positions", "step", bar.start(1))
        return list(self._found.values())

    def _add(self, field: str, name: str, at: int, of: int = -1) -> None:
        self._found.setdefault((field, name), Step(field, name[:80], at, of))

    def _pair(self, gap: str, match: re.Match[str]) -> None:
        stripped = gap.rstrip(" ['\"(")
        opened = gap[len(stripped) :]
        sep = stripped[-1:] if stripped[-1:] in ("=", ":") else ""
        bracketed = not sep and opened.strip() in ("[", "(")
        if "(" in opened and not sep and not bracketed:
            return
        if not sep and not bracketed and (not gap[-1:].isspace() or opened.strip()):
            return
        name = self._name(stripped, sep, gap)
        if not name:
            return
        what = kind(name)
        if what != "metric" and " " in name:
            tail = name.rsplit(" ", 1)[1]
            if kind(tail) in ("position", "metric") and (sep or kind(tail) == "position" or what == "never"):
                name, what = tail, kind(tail)
        if what == "position":
            if match["number"].lstrip("+-").replace(".", "").isdigit():
                self._add("positions", POSITIONS[normal(name)], match.start())
        elif not bracketed and not self._other_number(match, what):
            self._measured(name, what, sep, match)

    @staticmethod
    def _name(stripped: str, sep: str, gap: str) -> str:
        body = (stripped[:-1] if sep else stripped).rstrip()
        if sep:
            body = body.rstrip("'\"")
        part = _DELIMITER.split(body)[-1].strip() if body else ""
        if sep == "=" and " " in part:
            part = _tight(part, gap)
        found = _NAME.search(part)
        return found[0] if found else ""

    def _other_number(self, match: re.Match[str], what: str) -> bool:
        """Whether what follows the number says that it is a size, a time, a part of a date, ..."""
        after = self._text[match.end() :][:40]
        unit = _UNIT.match(after)
        if unit and unit[0] != "%":
            return True
        if after[:1] in (":", "/") and after[1:2].isdigit() and not (what == "metric" and after[:1] == "/"):
            return True
        return after[:1] == "." or (after[:1] == "-" and after[1:2].isdigit())

    def _measured(self, name: str, what: str, sep: str, match: re.Match[str]) -> None:
        text = match["number"]
        whole = text.lstrip("+-").isdigit()
        after = self._text[match.end() :][:40]
        if not sep and self._known_only:
            plain = whole and not after.lstrip().startswith("%")
            if what != "metric" or plain or not _PROSE.isdisjoint(name.lower().split()):
                return
        if what == "never" or (what == "split" and not self._boosting) or len(name.split()) > 4:
            return
        if what == "other" and not self._boosting and (whole or " " in name or len(name) < 2):
            return
        of = -1
        if what == "metric":
            if ratio := _RATIO.match(after):
                of = match.end() + ratio.start(1)
            if self._split and _HELD_OUT.isdisjoint(words(name)):
                name = self._split + name
        known = what in ("metric", "split") or (what == "other" and self._boosting and sep == ":")
        self._add("metrics" if known else "companions" if what == "companion" else "others", name, match.start(), of)


def _tight(name: str, gap: str) -> str:
    """The name before `=`: one word where nothing stands around the sign, else up to three."""
    return name.rsplit(" ", 1)[1] if not gap[-1:].isspace() else name
