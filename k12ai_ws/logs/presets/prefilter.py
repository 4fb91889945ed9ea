"""The cheapest tests first: which lines can have anything to do with metrics."""

import re

_OPENED = r"[-+'\"\[({]*\.?"
_HEADS = (
    r"^\s*['\"]?(?:epochs?|steps?|iter|iteration|round|e|#|global_step|batch)['\"]?\s*(?:[,;|]|\t|\s\s)"
    r"|^\s+(?:Class\s+Images|classes\s+top|all\s+\d)\s*"
)
_PLAN = (
    r"(?i:^\W{0,8}(?:[A-Za-z]{1,20} )?"
    r"(?:(?:hyper)?param(?:eter)?s?|config(?:uration)?|settings|options|arg(?:ument)?s)\W{0,8}$)"
)
SIGNS = "|".join(
    [
        # A fraction, but not that of a time of day (00:00:00.000), an address (10.0.0.1) or a version in a path.
        r"(?:^|[^0:./])0*\.0+(?:$|[^0.]|\.(?:$|[^0]))",
        rf"=\s*{_OPENED}0",  # a value behind its name, but not the parts of a time of day
        rf"[^0]:\s*{_OPENED}0",
        r"\(0+\.[,)]",  # `tensor(1., device=...)`
        rf"[A-Za-z_@]0+:{_OPENED}0",
        r":[\s'\"\[({]+[-+]?\.?0",
        r"(?i:\b(?:nan|inf(?:inity)?)\b)",
        _PLAN,
        r"%",
        r"poch|POCH",
        rf"(?i:{_HEADS})",  # a table's header
        r"(?i:[,;]\s*\"?(?:epoch|step|iter))",
        r"^\s*0+(?:\.0+)?[,;]",  # a row
        r"│|┃|║|^\s*\|.*\|\s*$",
        r"^\s*(?:['\"][^'\"]+['\"]:|[}\]]+,?\s*$|\{\s*$|\{['\"].*,\s*$)",  # a dictionary over several lines
    ]
)
"""One of these is found in each line that may show a metric, a position or a table's header or row (all digits `0`)."""

_HEAD = re.compile(_HEADS, re.IGNORECASE)
_LATER_HEAD = re.compile(r".{0,200}?[,;]\s*\"?(?:epoch|step|iter)", re.IGNORECASE)


heads_plan = re.compile(_PLAN).match
"""Whether a line is the heading of settings that follow: `config:`, `--- Training arguments ---`."""


def may_head(line: str) -> bool:
    """Whether a line may be a table's header, or a row of a drawn table."""
    if "│" in line or "┃" in line or "║" in line:
        return True
    start = line.lstrip()[:1]
    if start == "|" or (start in "eEsSiIrRbBgG#'\"cCa" and _HEAD.match(line)):
        return True
    if "," not in line and ";" not in line:
        return False
    return ("po" in line or "ste" in line or "ter" in line or "Ste" in line) and bool(_LATER_HEAD.match(line))
