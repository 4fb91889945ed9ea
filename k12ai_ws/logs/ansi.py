"""Terminal control sequences (ECMA-48, xterm): what moves the cursor matters, the rest is dropped."""

import re

UP = "\x0b"
"""Stands for a cursor movement to an earlier line, after `plain`. (A vertical tab in the log itself is dropped.)"""

STRAY = bytes([*range(7), 11, 12, *range(14, 27), *range(28, 32), 127])
"""Control characters that mean nothing in a log (NUL and its like): dropped from the bytes, whatever stands around."""

_INCOMPLETE = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|[\]PX^_][^\x07\x0b\x1b\r\n]{0,4096}\x1b?|[ -/]{0,4})?\Z")
_LONGEST = 8192
_UP = re.compile(r"\x1b\[\d{0,3}[AF]")
_COLUMN = re.compile(r"\x1b\[[01]?G")
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]"  # CSI: colours, erasing
    r"|\x1b[\]PX^_][^\x07\x0b\x1b\r\n]{0,4096}(?:\x07|\x1b\\)"  # OSC and the other strings: titles, links
    r"|\x1b[ -/]{1,4}[0-~]|\x1b[0-Z\\-~]|\x1b|\x07"
)


def moving(text: str) -> bool:
    """Whether anything in the text may move the cursor."""
    return "\r" in text or "\x08" in text or "\x1b" in text or UP in text


def complete(text: str) -> int:
    """The length of the text up to what the next bytes may still change: a sequence that is not over, or a carriage
    return at the end.
    """
    held = len(text) - text.endswith("\r")
    at = len(text)
    for _ in range(2):  # a title's own end begins with an escape too
        at = text.rfind("\x1b", max(0, len(text) - _LONGEST), max(at, 0))
        if at >= 0 and _INCOMPLETE.match(text, at):
            held = at
    return held


def plain(text: str) -> str:
    r"""The text with colours and titles gone, of which the stray characters are gone already.

    `\n`, `\t`, `\r` and `\b` stay, but `\r\n` is `\n`; a cursor movement to an earlier line becomes `UP`.
    """
    text = text.replace("\r\n", "\n")
    if "\x1b" in text or "\x07" in text:
        text = _UP.sub(UP, text)
        text = _COLUMN.sub("\r", text)
        text = _SEQUENCE.sub("", text)
    return text
