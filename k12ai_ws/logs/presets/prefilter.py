"""The cheapest tests first: which lines can have anything to do with metrics.

Most lines of most logs have not. A test for one character costs some 25 ns, a regex over a line a microsecond.
"""

import re

_STAMP = re.compile(r"[\[(]?\d{2,4}[-/.]\d\d[-/.]\d{2,4}[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?")
_SEPARATED = re.compile(r"[=:]\s*[-+'\"\[({]*(?:\.?\d|nan|inf)", re.IGNORECASE)
_FRACTION = re.compile(r"\.\d")
_NOT_FINITE = re.compile(r"\b(?:nan|inf)\b", re.IGNORECASE)
_HEAD = re.compile(r"\s*(?:epochs?|steps?|iter|iteration|round|e|#|global_step|batch)\s*(?:,|\t|\s\s)", re.IGNORECASE)
_LATER_HEAD = re.compile(r".{0,200}?,\s*(?:epoch|step|iter)")


def worth_reading(line: str) -> bool:
    """Whether a line may show a metric, a position or a table's header or row."""
    start = 0
    if "=" in line or ":" in line or "." in line:
        if line[:1] in "[(0123456789" and (stamp := _STAMP.match(line)):
            start = stamp.end()
        if _FRACTION.search(line, start) or _SEPARATED.search(line, start):
            return True
    if ("nan" in line or "NaN" in line or "inf" in line) and _NOT_FINITE.search(line):
        return True
    if "%" in line or "poch" in line or "POCH" in line:
        return True
    return ("  " in line or line.find(",", start) >= 0 or "\t" in line or not line.isascii()) and may_head(line)


def may_head(line: str) -> bool:
    """Whether a line may be a table's header, or a row of a drawn table."""
    if "\u2502" in line or "\u2503" in line:
        return True
    if line.lstrip()[:1] in "eEsSiIrRbBgG#" and _HEAD.match(line):
        return True
    return "," in line and ("epoch" in line or "step" in line or "iter" in line) and bool(_LATER_HEAD.match(line))
