"""Lines that report nothing: a shell's echo of commands, options, source code, and the lines of a diff."""

import re

from .vocabulary import kind, words

_RUN = (
    r"(?:python[\d.]{0,6}|torchrun|accelerate|deepspeed|srun|sbatch|mpirun|mpiexec|horovodrun|bash|sh|exec|nohup|sudo"
    r"|conda|docker|uv|poetry)"
)
_COMMAND = re.compile(
    r"^\W{0,4}(?:[A-Za-z_]\w{0,40}=\S{0,80}\s{1,4}){0,20}"
    rf"{_RUN}\s{{1,4}}(?:{_RUN}\s{{1,4}}){{0,4}}(?:--?[a-z]|(?!\d)\S{{0,200}}[./]\w|launch\b|run\b).*"
    r"|^\+{1,4} ?[A-Za-z_/].*"
    r"|^\s*(?:export|setenv|declare|ENV|ARG) \w{1,60}=.*"
    r"|^-[a-z_][\w.]{0,60} ?= ?.*|^[+-]\s{2,40}[a-z_][\w.]{0,60} = .*"
    r"|^In \[\d{0,6}\]: .*"
    r"|^\s{0,8}\d{1,6} \| .*[;{}]\s*$"
)
"""`LOSS=0.5 python train.py --acc=0.9`, `+ train acc=0.9` (of `set -x`, and of a diff as `-loss = 0.5` is),
`12 |     float acc = 0.0;` of a compiler.
"""
_OPTION = re.compile(r"(?:^|[\s\[])--[a-z][\w.-]{0,60}(?:=|\s|$)")
_CODE = re.compile(
    r"^\s*(?:raise|throw) [A-Za-z_].*|^\s*(?:return |await )?([A-Za-z_][\w.]{0,80})\([fFrRbBuU]{0,2}[\"'].*"
)
"""`raise ValueError("acc=0.5")`, `print("loss: 0.5")`."""
_CALL = re.compile(r"(?<![\w.])([a-z_][a-z_.]{0,60})\((?=[a-z_]\w{0,40}=)")
_RESULT = re.compile(r"output|result|metric|score|state|eval|record|stat|summary|log|report|progress|namespace|best")
_WHERE = re.compile(r"\b(?:epoch|ep|step|iter|iteration|round)\b", re.IGNORECASE)


def without_echoes(text: str) -> str:
    """The message with spaces where it shows a command, options or source code; its length stays."""
    where = _WHERE.search(text)
    if not (where and text[:1] in "+-") and _COMMAND.match(text):
        return " " * len(text)
    if "--" in text and (option := _OPTION.search(text)) and not (where and where.start() < option.start()):
        return text[: option.start()].ljust(len(text))
    if "(" not in text:
        return text
    if (code := _CODE.match(text)) and not (code[1] and not _calls(code[1])):
        return " " * len(text)
    call = None if where else _CALL.search(text)
    if call and not _RESULT.search(call[1]) and _calls(call[1]):
        return text[: call.start()].ljust(len(text))
    return text


def _calls(name: str) -> bool:
    """Whether this is a function's name, and no metric's or split's whose values stand in brackets."""
    return kind(name) not in ("metric", "position", "split") and kind(words(name)[-1]) != "split"
