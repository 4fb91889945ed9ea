"""Terminal control sequences (ECMA-48, xterm): what moves the cursor matters, the rest is dropped."""

import re

UP = "\x0b"
"""Stands for a cursor movement to an earlier line, after `plain`. (A vertical tab in the log itself is dropped.)"""

SPECIAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""Any control character but tab and newline: without one, text needs no cleaning."""

INCOMPLETE = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|[\]PX^_][^\x07\x1b\n]{0,4096}\x1b?|[ -/]{0,4})?\Z|\r+\Z")
"""What the next bytes may still change: a sequence that is not over, and carriage returns at the end."""

_DROPPED = dict.fromkeys((*range(7), 11, 12, *range(14, 27), *range(28, 32), 127))
_UP = re.compile(r"\x1b\[\d{0,3}[AF]")
_COLUMN = re.compile(r"\x1b\[[01]?G")
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]"  # CSI: colours, erasing
    r"|\x1b[\]PX^_][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)"  # OSC and the other strings: titles, links
    r"|\x1b[ -/]{1,4}[0-~]|\x1b[0-Z\\-~]|\x1b|\x07"
)


def without_stray(text: str) -> str:
    """The text without the control characters that mean nothing in a log (NUL and its like)."""
    return text.translate(_DROPPED)


def plain(text: str) -> str:
    r"""The text with colours and titles gone, of which the stray characters are gone already.

    `\n`, `\t`, `\r` and `\b` stay; a cursor movement to an earlier line becomes `UP`.
    """
    if "\x1b" in text or "\x07" in text:
        text = _UP.sub(UP, text)
        text = _COLUMN.sub("\r", text)
        text = _SEQUENCE.sub("", text)
    return text
