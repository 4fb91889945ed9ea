"""What surrounds one job's driver: its folders, and guarded calls of the driver's methods."""

import asyncio
import logging
import reprlib
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from k12ai_ws.drivers.driver import Driver, Job, Refused
from k12ai_ws.drivers.spec import LaunchSpec, Resources, Role
from k12ai_ws.launchers.launcher import LaunchError, LaunchRequest
from k12ai_ws.logs.advice import AdviceBook
from k12ai_ws.logs.classify import book_with
from k12ai_ws.logs.parser import LogParser
from k12ai_ws.logs.rules import MAX_RULES, ConfiguredRule, Rule, RuleError, read_rules
from k12ai_ws.wire.bodies import Fault, Json
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import JobRecord
from k12ai_ws.wire.requests import Refusal, fields_of, message_of
from k12ai_ws.wire.status import Reason

from .storable import as_json, cannot_be_stored, require_storable
from .threads import contained

log = logging.getLogger(__name__)

T = TypeVar("T")

DRIVER_TIMEOUT_S = 30.0
"""A driver's method must answer within so many seconds; it runs in a thread and cannot be ended, only left."""
DRIVER_TURNS = 4
"""Calls of one driver at one time."""


class Unanswered(Exception):
    """The driver's method did not come back in time."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where jobs find their roles on this host; outputs are `workspaces/<user>/<service_uuid>/<service_name>`."""

    workspaces: Path
    datasets: Path
    pretrained: Path

    def output(self, record: JobRecord) -> Path:
        """The folder that all jobs of this (user, service_uuid) and service share: evaluate finds what train wrote."""
        return self.workspaces / record.user / record.service_uuid / record.service_name

    def roles(self, record: JobRecord) -> dict[Role, Path]:
        """Every role that exists, made sure of; blocking."""
        output = self.output(record)
        output.mkdir(parents=True, exist_ok=True, mode=0o700)
        roles: dict[Role, Path] = {"output": output}
        if self.datasets.is_dir():
            roles["datasets"] = self.datasets
        if self.pretrained.is_dir():
            roles["pretrained"] = self.pretrained
        return roles


class DriverHost:
    """Calls a driver for one job: off the loop, with a time-out, its faults turned into the contract's errors."""

    def __init__(
        self,
        driver: Driver,
        record: JobRecord,
        folders: Folders,
        executor: Executor,
        *,
        turns: asyncio.Semaphore,
        books: dict[str, AdviceBook],
        timeout_s: float = DRIVER_TIMEOUT_S,
        rules: Sequence[ConfiguredRule] = (),
    ) -> None:
        """`turns` bounds the calls of this driver under way, the hung ones among them; `books` keeps the drivers'
        advice once it is made, by service; `rules` are the operator's.
        """
        self._driver = driver
        self._record = record
        self._folders = folders
        self._executor = executor
        self._turns = turns
        self._books = books
        self._timeout_s = timeout_s
        self._rules = rules
        self._job: Job | None = None

    def _describe(self) -> Job:
        """The job as the driver sees it. Raises pydantic's ValidationError, or Refusal, for wrong params."""
        if self._job is None:
            record, folders = self._record, self._folders
            # As JSON, strictly: a number is a number, as the schema that is served says, and no true and no "3".
            params = self._driver.tasks[record.task].model_validate_json(as_json(record.params), strict=True)
            self._job = Job(
                job_id=record.job_id,
                user=record.user,
                service_uuid=record.service_uuid,
                service_name=record.service_name,
                task=record.task,
                params=params,
                language=record.language,
                output=folders.output(record),
                datasets=folders.datasets if folders.datasets.is_dir() else None,
                pretrained=folders.pretrained if folders.pretrained.is_dir() else None,
            )
        return self._job

    async def _call(self, method: Callable[[], T]) -> T:
        """Raises what the method raises, or Unanswered."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._turns.acquire()
                try:
                    call = loop.run_in_executor(self._executor, contained(method))
                except BaseException:  # no call, so nothing that would give the turn back
                    self._turns.release()
                    raise
                call.add_done_callback(self._over)  # not when we stop waiting, but when the thread comes back
                await asyncio.wait({call})  # raises nothing of the method's: a TimeoutError here is ours
        except TimeoutError as e:
            raise Unanswered(f"it did not answer within {self._timeout_s:g} s") from e
        except RuntimeError as e:
            raise Unanswered(f"no thread could be started for it: {e}") from e
        return call.result()

    def _over(self, call: "asyncio.Future[T]") -> None:
        self._turns.release()
        if not call.cancelled():
            call.exception()  # seen: where nobody waits any longer, it has nobody else to go to

    def blame(self, what: str, error: BaseException) -> str:
        """What to say of the driver whose method `what` failed."""
        text = str(error) if isinstance(error, Unanswered) else f"{type(error).__name__}: {error}"
        return f"the driver of {self._record.service_name!r} failed in {what}: {text}"

    async def check(self) -> dict[str, Any]:
        """Validates the params and the rules, and lets the driver check the job; returns what the record shall have:
        the params with their defaults filled in, and the rules that read the log.

        Raises Refusal: 100231/100233 for the params, 100102/100106 for the rules, the driver's own code, or 100202 for
        a broken driver.
        """

        def examine() -> dict[str, Any]:
            rules = self._log_rules()
            job = self._describe()
            self._driver.check(job)
            try:
                params = dict(job.params.model_dump(mode="json"))
            except ValueError as e:  # nested too deeply, or of a type that pydantic cannot show as JSON
                raise cannot_be_stored(e) from None
            require_storable(params)
            return {"params": params, **rules}

        try:
            return await self._call(examine)
        except ValidationError as e:
            fields = fields_of(e, ("service_params",))
            missing = all(f["type"] == "missing" for f in fields)
            code = Code.PARAM_MISSING if missing else Code.PARAMS_INVALID
            raise Refusal(Fault(code, message_of(fields), detail={"fields": fields})) from None
        except Refusal:
            raise
        except Refused as e:
            loc = f"service_params.{e.field}" if e.field else "service_params"
            fields = [{"loc": loc, "msg": str(e.message), "type": "refused"}]
            raise Refusal(Fault(e.code, str(e.message), detail={"fields": fields})) from None
        except Exception as e:
            if not isinstance(e, Unanswered):  # whoever wrote the driver wants the line; the text may hold a secret
                at = traceback.extract_tb(e.__traceback__)[-1]
                name = self._record.service_name
                log.error(
                    "the driver of %r failed in check: %s at %s:%s", name, type(e).__name__, at.filename, at.lineno
                )
            raise Refusal(Fault(Code.START_FAILED, self.blame("check", e))) from e

    def _log_rules(self) -> dict[str, Sequence[Json] | None]:
        """The rules of the request, as they will be stored, and the operator's for such a job. Raises Refusal."""
        record, asked = self._record, self._record.log_rules
        if asked and not self._driver.log_rules_allowed:
            message = (
                f"the service {record.service_name!r} takes no rules for the log with a request: leave log_rules out"
            )
            fields = [{"loc": "log_rules", "msg": message, "type": "not_allowed"}]
            raise Refusal(Fault(Code.NOT_ALLOWED, message, detail={"fields": fields}))
        try:
            own = [rule.to_json() for rule in read_rules(asked or (), "log_rules")]
        except RuleError as e:
            fields = [dict(p) for p in e.problems]
            raise Refusal(Fault(Code.VALUE_INVALID, message_of(fields), detail={"fields": fields})) from None
        configured = [r.rule.to_json() for r in self._rules if r.is_for(record.service_name, record.task)]
        return {"log_rules": own or None, "configured_rules": configured or None}

    def _spec(self, default_time_limit_s: float | None) -> LaunchSpec:
        """What the driver wants to run; blocking. Raises what the driver raises, TypeError for rubbish."""
        spec = self._driver.launch(self._describe())
        if not isinstance(spec, LaunchSpec):
            raise TypeError(f"launch() must return a LaunchSpec, not {type(spec).__name__}")
        if spec.resources.time_limit_s is None and default_time_limit_s is not None:
            limited = spec.resources.model_copy(update={"time_limit_s": default_time_limit_s})
            spec = spec.model_copy(update={"resources": limited})
        return spec

    async def plan(self, default_time_limit_s: float | None) -> LaunchSpec:
        """What the job would run, before it is taken: no folders are made. Raises LaunchError (100202)."""
        try:
            return await self._call(lambda: self._spec(default_time_limit_s))
        except Exception as e:
            raise LaunchError(Code.START_FAILED, Reason.LAUNCH_FAILED, self.blame("launch", e)) from e

    async def request(self, default_time_limit_s: float | None) -> LaunchRequest:
        """What to launch, with the resources that were admitted. Raises LaunchError (100202) where the driver or the
        making of the folders fails, or where the driver asks for more than was admitted.
        """
        record = self._record

        def build() -> tuple[LaunchSpec, Mapping[Role, Path]]:
            return self._spec(default_time_limit_s), self._folders.roles(record)

        try:
            spec, folders = await self._call(build)
        except Exception as e:
            raise LaunchError(Code.START_FAILED, Reason.LAUNCH_FAILED, self.blame("launch", e)) from e
        return LaunchRequest(
            job_id=record.job_id,
            user=record.user,
            service_uuid=record.service_uuid,
            service_name=record.service_name,
            op=record.op,
            spec=spec.model_copy(update={"resources": self._admitted(spec.resources)}),
            folders=folders,
            gpus=tuple(str(gpu) for gpu in record.resources.get("gpu_ids") or ()),
        )

    def _admitted(self, asked: Resources) -> Resources:
        """The resources that the job was admitted with. Raises LaunchError where more is asked for now."""
        admitted = self._record.resources
        if not admitted:  # taken by a server that did not store them
            return asked
        for name in ("cpus", "memory", "gpus"):
            now, then = getattr(asked, name) or 0, admitted.get(name) or 0
            if now > then:
                raise LaunchError(
                    Code.START_FAILED,
                    Reason.LAUNCH_FAILED,
                    f"the driver of {self._record.service_name!r} asks for {name} = {now} at the launch, and the job "
                    f"was admitted with {then}: launch() must not ask for more than it did when the job was started",
                )
        kept = {name: admitted[name] for name in ("cpus", "memory", "gpus", "shm") if name in admitted}
        return asked.model_copy(update=kept)

    async def parsers(self) -> Sequence[LogParser | str | Rule]:
        """The log parsers that the driver chose. Raises whatever the driver raises, TypeError for rubbish."""

        def choose() -> Sequence[LogParser | str | Rule]:
            chosen = self._driver.parsers(self._describe())
            if not isinstance(chosen, Sequence) or isinstance(chosen, str):
                raise TypeError(f"parsers() must return a list, not {reprlib.repr(chosen)}")
            for parser in chosen:
                if not isinstance(parser, LogParser | str | Rule):
                    raise TypeError(f"a parser is a LogParser, a Rule or a preset's name, not {reprlib.repr(parser)}")
            if (count := sum(isinstance(parser, Rule) for parser in chosen)) > MAX_RULES:
                raise ValueError(f"there are {count} rules: {MAX_RULES} are the most")
            return chosen

        return await self._call(choose)

    async def book(self) -> AdviceBook:
        """What the driver says of its own errors, before what is said of every job's. Raises what the driver raises."""
        name = self._record.service_name
        if name not in self._books:
            self._books[name] = await self._call(lambda: book_with(tuple(self._driver.advice)))
        return self._books[name]

    def classify(self, fault: Fault) -> int | None:
        """The driver's code for a fault; blocking."""
        return contained(self._driver.classify)(fault)
