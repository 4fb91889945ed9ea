"""Random programs that fail, what Python prints of each, and what Python itself says that it was.

Run by any Python from 3.8 on: `python generated_programs.py SEED COUNT FOLDER` prints one JSON object per program,
`{"log", "style", "source", "truth"}`. The truth comes from `traceback.TracebackException` in the very process that
printed the log.
"""

import importlib
import json
import random
import sys
import traceback
from pathlib import Path

GROUPS = sys.version_info >= (3, 11)
WORDS = ["loss", "weights", "größe", "模型", "batch 7", "0x7f3a", "cache: 0.25", "a=1", "{x} %s \\n", "naïve"]
LONG = "x" * 300
HEADER = "Traceback (most recent call last):"
TYPES = [
    "ValueError",
    "KeyError",
    "RuntimeError",
    "AssertionError",
    "OSError",
    "StopIteration",
    "Custom",
    "Outer.Inner",
]
PRELUDE = [
    "import asyncio, functools",
    "class Custom(Exception): pass",
    "class Outer:",
    "    class Inner(Exception): pass",
    "class Silent(Exception):",
    "    def __str__(self): raise TypeError('no text')",
    "def decorated(f):",
    "    @functools.wraps(f)",
    "    def wrapper(*a): return f(*a)",
    "    return wrapper",
]


def text_of(dice: random.Random) -> str:
    """A text for an exception."""
    word, other = dice.choice(WORDS), dice.choice(WORDS)
    return dice.choice(
        [
            "",
            word,
            f"{word}: {other}",
            LONG + " " + word,
            f"{word} failed:\n  - {other}\n\t- more",
            f"expected {word}\ngot {other}",
            f"{word}\n\n{other} again",
            f"{word} failed\n",
            f'worker failed:\n{HEADER}\n  File "x.py", line 3, in f\n    g()\nKeyError: {word!r}',
            f"2024-01-02 03:04:05,678 ERROR {word}",
            "  begins with spaces",
        ]
    )


def call(dice: random.Random, target: str) -> "list[str]":
    """The body of a function that calls `target`, one way or another."""
    return dice.choice(
        [
            [f"return {target}(x + 1)"],
            [f"return (lambda v: {target}(v))(x)"],
            ["return [", f"    {target}(v)", "    for v in [x]", "]"],
            ["return sum(", f"    {target}(v) for v in [x]", ")"],
            [
                "class Net:",
                f"    def forward(self, v): return {target}(v)  # 第 {dice.randint(1, 9)} 层",
                "return Net().forward(x)",
            ],
            [f"return decorated({target})(x)"],
            ["def steps():", f"    yield {target}(x)", "return list(steps())"],
            ["async def run():", f"    return {target}(x)", "return asyncio.run(run())"],
            [
                "def again(n):",
                f"    return {target}(x) if n == 0 else again(n - 1)",
                f"return again({dice.randint(1, 9)})",
            ],
            [f"return dict(a=1,\tb={target}(x))"],
            [f"exec('def made(v): return {target}(v)', globals())", "return made(x)"],
        ]
    )


def failure(dice: random.Random, depth: int = 0) -> "list[str]":
    """The body of a function that raises."""
    kind, text = dice.choice(TYPES), text_of(dice)
    raised = f"{kind}({text!r})" if kind != "StopIteration" else f"ValueError({text!r})"
    ways = [
        [f"raise {raised}"],
        [f"raise {raised}"],
        [f"error = {raised}", "raise error"],
        [f"message = {text!r}", "raise ValueError(message)"],
        ["return {}['missing key']"],
        ["return [1, 2][x + 10]"],
        ["return x / 0"],
        ["return undefined_name"],
        ["return ''.joinn([])"],
        ["import no_such_module_at_all"],
        [f"return open({dice.choice(WORDS)!r} + '/none')"],
        ["raise Silent(1)"],
        ["assert x < 0"],
        [f"assert x < 0, {text!r}"],
        ["return int('zz')"],
        ["def deep(n): return deep(n + 1)", "return deep(0)"] if depth == 0 else ["return 1 / 0"],
        ["compile('def f(:\\n\\tpass\\n', 'bad.py', 'exec')"],
        ["compile('x = 1\\n  y = 2\\n', 'bad.py', 'exec')"],
        ["compile('größe = (1,\\n模 = 2', 'bad.py', 'exec')"],
        [f"raise {raised} from Custom({dice.choice(WORDS)!r})"],
        ["raise KeyboardInterrupt"],
        ["raise SystemError()"],
    ]
    if GROUPS and depth < 3:
        inner = ", ".join(f"{dice.choice(TYPES[:5])}({dice.choice(WORDS)!r})" for _ in range(dice.randint(1, 3)))
        nested = f"ExceptionGroup({dice.choice(WORDS)!r}, [{inner}])"
        ways += [[f"raise ExceptionGroup({dice.choice(WORDS)!r}, [{inner}, {nested}])"], [f"raise {nested} from None"]]
        notes = [f"error.add_note({note!r})" for note in dice.sample(["row 17", "column: age", "see the docs"], 2)]
        ways.append([f"error = ValueError({dice.choice(WORDS)!r})", *notes, "raise error"])
    body = dice.choice(ways)
    if depth < 3 and dice.random() < 0.45:
        after = dice.choice(["", "", " from error", " from None"])
        raising = failure(dice, depth + 1)
        if after and raising[-1].startswith("raise ") and " from " not in raising[-1]:
            raising[-1] += after
        body = ["try:", *("    " + line for line in body), "except BaseException as error:"]
        body += [
            "    " + line.replace("error", "other") if " from error" not in line else "    " + line for line in raising
        ]
    return body


def program(dice: random.Random) -> str:
    """The source of a module whose `run()` fails."""
    lines, depth = list(PRELUDE), dice.randint(1, 5)
    for level in range(depth):
        body = call(dice, f"f{level + 1}") if level < depth - 1 else failure(dice)
        lines += [f"def f{level}(x):", *("    " + line for line in body)]
    return "\n".join([*lines, "def run():", "    f0(0)", ""])


def truth_of(found: "traceback.TracebackException") -> dict:
    """What Python knows of an exception, as JSON."""
    kind, chain = found.exc_type, []
    before, relation = (found.__cause__, "cause") if found.__cause__ is not None else (found.__context__, "context")
    if before is not None and not (relation == "context" and found.__suppress_context__):
        first = truth_of(before)
        chain = [*first["chain"], {**first, "chain": [], "relation": relation}]
    module = "" if kind.__module__ in ("builtins", "__main__") else kind.__module__ + "."
    return {
        "type": module + kind.__qualname__,
        "text": found.msg if issubclass(kind, SyntaxError) else found._str,
        "syntax": issubclass(kind, SyntaxError),
        "frames": [[f.filename, f.lineno, f.name, (f.line or "").split("\n")[0].strip()] for f in found.stack],
        "notes": list(getattr(found, "__notes__", None) or []),
        "chain": chain,
        "group": [truth_of(member) for member in getattr(found, "exceptions", None) or []],
    }


def logged(dice: random.Random, printed: str) -> "tuple[str, str]":
    """The style's name, and the lines as a log has them."""
    lines = printed.split("\n")[:-1]
    style = dice.choice(["bare", "rank", "compose", "stamped", "logging", "coloured", "between", "json", "crlf"])
    prefix = {"rank": "[rank3]: ", "compose": "trainer-1  | ", "stamped": "2024-03-01 10:17:02,345 | ERROR | "}.get(
        style
    )
    if style == "json":
        return style, json.dumps({"level": "error", "message": "failed", "exc_info": printed[:-1]}) + "\n"
    if style == "coloured":
        lines = [f"\x1b[1;35m{line}\x1b[0m" for line in lines]
    elif style == "logging":
        lines = [
            "2024-03-01 10:17:02,345 ERROR trainer: it failed",
            *lines,
            "2024-03-01 10:17:03,345 INFO trainer: next",
        ]
    elif style == "between":
        lines = ["epoch 1 loss 0.5", "starting", *lines]
    return style, "".join((prefix or "") + line + ("\r\n" if style == "crlf" else "\n") for line in lines)


def main(seed: int, count: int, folder: Path) -> None:
    """Runs that many programs."""
    sys.path.insert(0, str(folder))
    sys.setrecursionlimit(160)
    for number in range(count):
        dice = random.Random(f"{seed}-{number}")
        name, source = f"gen_{seed}_{number}", program(dice)
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
        importlib.invalidate_caches()
        module = importlib.import_module(name)
        try:
            module.run()
        except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt too is what a program may raise
            found = traceback.TracebackException.from_exception(error)
            style, log = logged(dice, "".join(found.format()))
            row = {"log": log, "style": style, "source": source, "truth": truth_of(found)}
            print(json.dumps(row, ensure_ascii=True))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
