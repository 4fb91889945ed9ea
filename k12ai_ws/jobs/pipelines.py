"""The pipelines that read jobs' logs by the rules in their records."""

import logging
import time
from collections.abc import Sequence

from k12ai_ws.logs.parser import LogParser
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.logs.rules import Rule, RuleError, with_rules
from k12ai_ws.wire.bodies import Json
from k12ai_ws.wire.job import JobRecord

log = logging.getLogger(__name__)


def parsers_of(
    record: JobRecord, chosen: Sequence[LogParser | str | Rule], *, whole: bool = True
) -> list[LogParser | str]:
    """The parsers of a job's log: those of its driver, and the rules in its record. A rule that this version cannot
    read is left out: another server took it. `whole`: from the log's beginning.
    """
    return with_rules(
        chosen,
        asked=_rules(record.log_rules),
        configured=_rules(record.configured_rules),
        clock=time.thread_time_ns,
        language=record.language,
        whole=whole,
    )


def auto_pipeline(record: JobRecord, *, whole: bool = True) -> Pipeline:
    """Reads with the preset `auto` and the rules in the record, without the job's driver. `whole`: from the log's
    beginning.
    """
    return Pipeline(parsers_of(record, ["auto"], whole=whole), language=record.language)


def _rules(stored: Sequence[Json] | None) -> Sequence[Rule]:
    rules = []
    for data in stored or ():
        try:
            rules.append(Rule.from_json(data))
        except RuleError as e:
            log.error("a stored log rule cannot be read by this version, and is left out: %s", e)
    return rules
