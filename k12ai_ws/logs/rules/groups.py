"""Which groups a pattern must have, by the kind of its rule."""

from collections.abc import Mapping

from .regex import BadPattern, Regex

POSITIONS = ("epoch", "step", "batch", "rank")
"""Groups (and captured names) that are no metrics, but say where in the training the metrics beside them stand."""
_WORDS = ("name", "value", "split")
_PROGRESS = ("current", "total", "percent", "unit", "desc")
_ERROR = ("text", "type", "filename", "linenum", "funcname")


def metric_groups(regex: Regex) -> dict[str, int]:
    """The groups that are metrics by their own names."""
    return {name: number for name, number in regex.groups.items() if name not in (*POSITIONS, *_WORDS)}


def only_places(regex: Regex) -> bool:
    """Whether all that the pattern captures are positions: they belong to the lines below."""
    return bool(regex.groups) and all(name in POSITIONS for name in regex.groups)


def check_groups(regex: Regex, kind: str, name: str | None) -> None:
    """Raises BadPattern where the groups do not fit the kind, saying which would."""
    groups = regex.groups
    if kind == "progress":
        if not ("percent" in groups or {"current", "total"} <= set(groups)):
            _bad(regex, r"progress needs the groups current and total, `(?P<current>\d+)/(?P<total>\d+)`, or percent")
        _only(regex, groups, _PROGRESS, kind)
    elif kind == "error":
        if "text" not in groups:
            _bad(regex, r"an error needs the group text: `FATAL: (?P<text>.*)`")
        _only(regex, groups, _ERROR, kind)
    else:
        _check_metrics(regex, name)


def _check_metrics(regex: Regex, name: str | None) -> None:
    groups, metrics = regex.groups, metric_groups(regex)
    if regex.count == 0:
        _bad(regex, r"nothing is captured: put the value into a named group, such as `loss=(?P<loss>\S+)`")
    if not groups and (name is None or regex.count > 1):
        help_ = (
            "give the rule a `name`, or the group one: `(?P<loss>...)`"
            if regex.count == 1
            else "name the groups: `(?P<name>...)` and `(?P<value>...)`, or each as its metric; (?:...) is no group"
        )
        _bad(regex, f"the groups have no names: {help_}")
    if not groups:
        return
    if "name" in groups and "value" not in groups:
        _bad(regex, "there is a group `name` and none `value`")
    if "value" in groups:
        if ("name" in groups) == (name is not None):
            both = "both a group `name` and the field `name`" if name is not None else "neither group nor field `name`"
            _bad(regex, f"a group `value` needs its metric's name from one place, and there is {both}")
        if metrics:
            _bad(regex, f"there is a group `value`, and {', '.join(metrics)} too: write two rules")
    elif name is not None:
        _bad(regex, "with the field `name`, the value's group is `value` (or the only group there is)")
    elif not metrics and "split" in groups:
        _bad(regex, "there is a group `split`, and no metric that it could belong to")
    elif set(groups) == {"rank"}:
        _bad(regex, "there is a group `rank`, and nothing that it could belong to")


def _only(regex: Regex, groups: Mapping[str, int], known: tuple[str, ...], kind: str) -> None:
    for group in groups:
        if group not in known:
            _bad(regex, f"kind {kind} has no group {group}: there are {', '.join(known)}; (?:...) is no group")


def _bad(regex: Regex, message: str) -> None:
    raise BadPattern(max(regex.pattern.find("("), 0), f"`{regex.pattern[:60]}`: {message}")
