"""Log records: what a logging library puts before a message."""

import re

from k12ai_ws.logs.tracebacks.syntax import RECORD

_RECORD_END = re.compile(
    r"(?<=\s)[-|:>]\s+|\]\s*:?\s+|\b(?:DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|SUCCESS)\b\s*[:\]|-]*\s*"
)
_PREFIX = re.compile(r"(?:\[[A-Za-z]+[ :]?\d*\]:?\s+|[\w.-]+\s+\|\s+)")
_OWN_WORDS = re.compile(r"=|\d\.\d|\w: |\w \w|\b(?:epoch|step|iter|iteration|batch|loss)\b", re.IGNORECASE)
"""What no field of a logging library's prefix has: a message has begun."""


def message_of(line: str) -> str:
    """A log record's own words, behind the time, level, logger and place that the logging library put there."""
    if not RECORD.match(line):
        match = _PREFIX.match(line)
        return line[match.end() :] if match else line
    end = 0
    for match in _RECORD_END.finditer(line, 0, 160):
        gap = line[end : match.start()]
        if end and _OWN_WORDS.search(gap):
            break
        end = match.end()
    return line[end:]
