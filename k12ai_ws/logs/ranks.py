"""What launchers and collectors put before each line, and which process of a job it names.

Sources: torch's `[rank0]:`, torchrun's `[default0]:` and `[0]:` (`--tee`), `srun --label` (`0: `), Open MPI's
`--tag-output` (`[1,0]<stderr>:`), Ray's `(train_fn pid=12)`, docker compose's `name-1  | `, containers' time stamps.
"""

import re

_MARK = (
    r"\[(?:rank|default|Rank|RANK)[ _:=]?\d{1,5}\]:?"
    r"|\[\d{1,5}\]:(?= |$)"
    r"|\[\d{1,5},\d{1,5}\](?:\[[^\]\[]{1,80}\])?<std(?:out|err)>:"
    r"|(?:rank|Rank|RANK)[ _]?\d{1,5}:"
    r"|\((?:[^()]{1,80} )?pid=\d{1,9}[^()]{0,80}\)"
    r"|\d{1,5}:(?= |$)"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?(?: std(?:out|err) [FP])?(?= |$)"
    r"|[\w.-]{1,60} {0,20}\|(?= |$)"
)
_PREFIX = re.compile(rf" {{0,4}}(?:(?:{_MARK}) ?){{1,3}}")
_RANK = re.compile(
    r"\b(?:rank|Rank|RANK|default)[ _:=]?(\d{1,5})\b"
    r"|\[\d{1,5},(\d{1,5})\](?:\[[^\]\[]{1,80}\])?<std"
    r"|^ {0,4}\[(\d{1,5})\]:"
    r"|^ {0,4}(\d{1,5}):(?: |$)"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.,]{8,18}")


def prefix_end(line: str) -> int:
    """Where the line proper begins, behind what a launcher put before it; 0 where it put nothing there."""
    match = _PREFIX.match(line)
    return match.end() if match else 0


def same_source(prefix: str) -> str:
    """The prefix without what moves in it: equal for two lines of the same process."""
    return _TIME.sub("T", prefix).strip()


def rank_of(prefix: str) -> int | None:
    """The rank that a prefix names: `[rank3]: `, `[1,3]<stderr>:` and `3: ` give 3."""
    match = _RANK.search(prefix)
    return int(next(group for group in match.groups() if group)) if match else None
