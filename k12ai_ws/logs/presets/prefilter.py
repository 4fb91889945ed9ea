"""The cheapest tests first: which lines can have anything to do with metrics.

Most lines of most logs have not. A test for one character costs some 25 ns, a regex over a line a microsecond.
"""

import re

_STAMP = re.compile(r"[\[(]?\d{2,4}[-/.]\d\d[-/.]\d{2,4}[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?")
_SEPARATED = re.compile(r"[=:]\s*[-+'\"\[({]*(?:\.?\d|nan|inf)", re.IGNORECASE)
_FRACTION = re.compile(r"\.\d")
_NOT_FINITE = re.compile(r"\b(?:nan|inf)\b", re.IGNORECASE)
_HEAD = re.compile(
    r"\s*(?:epochs?|steps?|iter|iteration|round|e|#|global_step|batch)\s*(?:,|\t|\s\s)|.{0,200}?,\s*(?:epoch|step|iter)",
    re.IGNORECASE,
)


def worth_reading(line: str) -> bool:
    """Whether a line may show a metric, a position or a table's header or row."""
    if "=" in line or ":" in line or "." in line:
        start = 0
        if line[:1] in "[(0123456789" and (stamp := _STAMP.match(line)):
            start = stamp.end()
        if _FRACTION.search(line, start) or _SEPARATED.search(line, start):
            return True
    if "nan" in line or "NaN" in line or "inf " in line or "%" in line:
        return True
    if "poch" in line or "POCH" in line:
        return True
    return ("  " in line or "," in line or "\t" in line or not line.isascii()) and may_head(line)


def may_head(line: str) -> bool:
    """Whether a line may be a table's header, or a row of a drawn table."""
    return "\u2502" in line or "\u2503" in line or _HEAD.match(line) is not None
