"""Log records: what a logging library puts before a message."""

import re

from k12ai_ws.logs.tracebacks.syntax import RECORD

from .vocabulary import kind

_RECORD_END = re.compile(
    r"(?<=\s)[-|:>]\s+|\]\s*:?\s+|\b(?:DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|SUCCESS)\b\s*[:\]|-]*\s*"
)
_PREFIX = re.compile(
    r"\[(?!epoch|step|iter|batch|round|episode|ep\b|e\d|train|val|test|eval|dev\b)[A-Za-z]+[ :]?\d*\]:?\s+"
    r"|\[\w{2,20} [A-Z] \d{4}-\d\d-\d\d [\d:.,]{5,16} [\w.]{1,60}:\d{1,6}\]\s*"
    r"|[\w.-]+\s+\|\s+",
    re.IGNORECASE,
)
_MOMENT = re.compile(r":|[A-Za-z]|\d{4}[-/.]\d|\d[-/.]\d{1,2}[-/.]\d")
"""What a time or a level has, and a count (`[1, 2000]`, `3/10`) has not."""
_COUNT = re.compile(
    r"\[\d{1,9}: {1,6}\d{1,9}/\d{1,9}\] |\s?\d{1,9}: -?\d{1,9}\.\d{1,9}, "
    r"|\W{0,3}(?!Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)\w{3}"
    r" \d+\.\d+(?![-/:.,T\d]*\d)"
)
"""`[0: 10/30]`: an epoch and its batches, Darknet's ` 100: 2.1231, `, and `Acc 95.3`: no times."""
_WRITTEN = re.compile(r"[IWEF]\d{4} [^\]\n]{10,60} logging_writer\.py:\d{1,6}\] (?=\[\d{1,12}\] )")
"""clu's writer: the step of what is reported stands in brackets behind the record's own."""
_OWN_WORDS = re.compile(r"=|\d\.\d|\w: |\w \w|\bEp\. \d|\b(?:epoch|step|iter|iteration|batch|loss)\b", re.IGNORECASE)
"""What no field of a logging library's prefix has: a message has begun."""
_OWN_NUMBERS = re.compile(r"=|\d\.\d|\b(?:epoch|step|iter|iteration|batch)[ \[]\d", re.IGNORECASE)
"""The same right behind the time, where several fields may stand together."""


def message_of(line: str) -> str:
    """A log record's own words, behind the time, level, logger and place that the logging library put there."""
    if written := _WRITTEN.match(line):
        return line[written.end() :]
    record = RECORD.match(line)
    if record is None or not _MOMENT.search(record[0]) or _COUNT.match(line):
        match = _PREFIX.match(line)
        return line[match.end() :] if match else line
    end = record.end()
    for match in _RECORD_END.finditer(line, 0, 160):
        if match.start() >= record.end():
            gap = line[end : match.start()]
            own = _OWN_WORDS if end > record.end() else _OWN_NUMBERS
            if own.search(gap) or kind(gap) == "metric" or (kind(gap) == "split" and ":" in match[0]):
                break
        end = match.end()
    return line[end:].lstrip()
