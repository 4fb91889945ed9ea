"""What a driver is: one service's tasks, their parameters, the command to run and the parsers of its log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from k12ai_ws.logs.advice import Advice
from k12ai_ws.logs.parser import LogParser
from k12ai_ws.logs.rules import Rule
from k12ai_ws.wire.bodies import Fault
from k12ai_ws.wire.codes import Language

from .spec import LaunchSpec


class Params(BaseModel):
    """Base of a task's `service_params`: unknown fields are refused, and the model is frozen.

    Give every field a default (where one makes sense), bounds and a description: the JSON Schema is served and draws
    the web form.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Refused(Exception):
    """A driver's refusal of a job before anything starts: the contract's `code`, and a message that teaches.

    `field` names the parameter at fault, where there is one.
    """

    def __init__(self, code: int, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = int(code)
        self.message = message
        self.field = field


@dataclass(frozen=True, slots=True)
class Job:
    """What a driver gets to know of a job. Values only: no app, store, hub or engine.

    `params` is an instance of the task's own model. The paths are the server's view of the job's folders, for
    `check`; a command speaks of `{output}` and its like instead, because a container sees other paths. `datasets` and
    `pretrained` are None where the operator has configured none.
    """

    job_id: str
    user: str
    service_uuid: str
    service_name: str
    task: str
    params: Any
    language: Language
    output: Path
    datasets: Path | None
    pretrained: Path | None


class Driver:
    """One service. Subclass it, name the service and its tasks, and say what to run.

    `service_name` and the task names match `[a-z][a-z0-9_]*`; the tasks `jobs`, `services` and `events` are reserved.
    All methods run off the event loop, and a method that raises fails that one job with an error naming the driver.
    """

    service_name: ClassVar[str]
    description: ClassVar[str] = ""
    tasks: ClassVar[Mapping[str, type[BaseModel]]]
    log_rules_allowed: ClassVar[bool] = False
    """Whether a request may bring rules of its own for the job's log (`log_rules`)."""
    advice: ClassVar[Sequence[Advice]] = ()
    """What helps with errors of its own, tried before the advice that every job has."""

    def check(self, job: Job) -> None:
        """Raises `Refused` where the job cannot run (no dataset, no model). Called before anything is stored."""

    def launch(self, job: Job) -> LaunchSpec:
        """What to run for this job."""
        raise NotImplementedError

    def parsers(self, job: Job) -> Sequence[LogParser | str | Rule]:
        """The parsers of the job's log: presets by name, rules, or objects of the driver's own. Tracebacks and progress
        bars are recognised before any of them. The default reads any framework's log.
        """
        return ["auto"]

    def classify(self, fault: Fault) -> int | None:
        """A better code for an error found in the log (its `detail` names the exception), or None."""
        return None
