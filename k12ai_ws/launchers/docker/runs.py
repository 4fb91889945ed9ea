"""The containers of one server, and what is recorded of them: launched, found again, stopped, removed. Blocking.

<runs_dir>/<job_id>/      mode 0700
    run.json              written before the container is started: its id, and what holds for it
    journal               all that it printed (see `recording/journal.py`)
    stop.json             what was done to end it (see `warden.py`)
    exit.json             how it ended: the fields of `wire.job.Exit`; written last, and once
"""

import logging
import signal as signals
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from k12ai_ws.launchers.launcher import Handle, LaunchError, LaunchRequest
from k12ai_ws.launchers.recording.files import EXIT, RUN_ID, read_json, write_json
from k12ai_ws.launchers.recording.following import read_exit
from k12ai_ws.launchers.roles import unfit
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.job import Exit
from k12ai_ws.wire.status import Reason

from .container import JOB, PLACE, SERVER, Owner, name_of
from .engine import Container, Engine, EngineError
from .making import Maker, failure
from .recorder import Recorder
from .warden import Warden

RUN: Final = "run.json"
_DYING_S: Final = 5.0
"""How long a container that was told to end is waited for before it is removed."""
_CLOSING_S: Final = 2.0

log = logging.getLogger(__name__)


class Runs:
    """See the module. `peak` as for `Recorder`."""

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        maker: Maker,
        owner: Owner,
        *,
        max_log_bytes: int,
        grace_s: float,
        clock_ms: Callable[[], int],
        peak: Callable[[Container], int | None],
    ) -> None:
        self._folder = folder.absolute()
        self._engine = engine
        self._maker = maker
        self._owner = owner
        self._max_log_bytes = max_log_bytes
        self._grace_s = grace_s
        self._clock_ms = clock_ms
        self._peak = peak
        self._recorders: dict[str, Recorder] = {}
        self._left: set[str] = set()  # containers that nobody needs, and that could not be removed yet
        self._changing = threading.Lock()
        self._closed = False

    def path(self, handle: Handle) -> Path:
        """The run's directory. Raises LaunchError where the handle is none of this launcher's."""
        job_id = handle.get("run")
        if not isinstance(job_id, str) or not RUN_ID.fullmatch(job_id):
            raise unfit(f"{job_id!r} is no id of a run: letters, digits, '_', '.', '-'")
        return self._folder / job_id

    def launch(self, request: LaunchRequest) -> Handle:
        """Starts the job's container, unless it was started before. Raises LaunchError; then nothing runs."""
        run = self.path({"run": request.job_id})
        if (run / EXIT).exists():
            known = read_json(run / RUN) or {}
            return {"run": request.job_id, "container": known.get("container", name_of(request.job_id))}
        self._clear()
        try:
            container, is_new = self._maker.make(request)
            handle = {"run": request.job_id, "container": container}
            if is_new:
                self._start(run, handle, request)
            else:
                self.attend(handle)
        except EngineError as e:
            raise failure(e, request.spec.image) from e
        except OSError as e:
            raise unfit(f"the run's directory {run} cannot be made: {e.strerror or e}") from e
        return handle

    def is_over(self, run: Path) -> bool:
        """Whether nothing will be printed any more. Ask before reading the log: then what is read is all there is."""
        return (run / EXIT).exists() or not run.exists()

    def end_of(self, run: Path) -> Exit | None:
        """How the run ended; None while it goes on."""
        if (end := read_exit(run)) is not None:
            return end
        return None if run.exists() else Exit(lost=True, ended_ms=self._clock_ms(), message=f"{run} is gone")

    def attend(self, handle: Handle) -> None:
        """Makes sure that the run is recorded, where it has not ended."""
        run = self.path(handle)
        with self._changing:
            if handle["run"] not in self._recorders and run.exists() and not (run / EXIT).exists() and not self._closed:
                self._record(str(handle["run"]), handle).begin()

    def stop(self, handle: Handle, grace_s: float) -> None:
        """Has the run end. Raises LaunchError where the engine does not take the order."""
        run = self.path(handle)
        if (run / EXIT).exists() or not run.exists():
            return
        self.attend(handle)
        recorder = self._recorders.get(str(handle["run"]))
        try:
            if recorder is not None and not self._end_before_its_start(recorder, run):
                recorder.warden.stop(grace_s)
        except EngineError as e:
            raise LaunchError(Code.ENGINE_FAILED, Reason.ENGINE_FAILED, e.message) from e

    def known(self) -> dict[str, Handle]:
        """The runs that were started and not released, as they are recorded here, taken up where they were left."""
        found: dict[str, Handle] = {}
        if self._folder.is_dir():
            for run in sorted(self._folder.iterdir()):
                if RUN_ID.fullmatch(run.name) and (started := read_json(run / RUN)):
                    found[run.name] = {"run": run.name, "container": str(started["container"])}
        for handle in found.values():
            self.attend(handle)
        return found

    def claim(self, known: Mapping[str, Handle]) -> Mapping[str, Handle]:
        """These, and the containers of this server that were made and never recorded.

        Containers of an earlier server that worked in the same place, whose data are gone, are removed; nobody else's
        are touched. An engine that does not answer is no error: there is nothing to be claimed of it now.
        """
        found = dict(known)
        try:
            for container in self._engine.containers([f"{SERVER}={self._owner.server}"]):
                job_id = container["Labels"].get(JOB, "")
                if job_id not in found and RUN_ID.fullmatch(job_id):
                    found[job_id] = {"run": job_id, "container": container["Id"]}
            if self._owner.place is not None:
                for container in self._engine.containers([f"{PLACE}={self._owner.place}"]):
                    if container["Labels"].get(SERVER) != self._owner.server:
                        name = container["Names"][0].lstrip("/")
                        log.warning("container %s is of a server that worked here, whose data are gone: removed", name)
                        self._engine.remove(container["Id"])
        except EngineError as e:
            log.error("%s; jobs that run there are taken up when it does", e)
        return found

    def release(self, handle: Handle) -> None:
        """Removes the container of an ended run, and one that never ran; its journal and its end stay."""
        run = self.path(handle)
        recorder = self._recorders.get(str(handle["run"]))
        if recorder is not None and not (run / EXIT).exists():
            dying = recorder.warden.orders.kill_ms is not None
            if not recorder.ended(_DYING_S if dying else 0.0):
                return
        self._left.add(str(handle["container"]))
        self._clear()
        if handle["container"] in self._left:
            return
        (run / RUN).unlink(missing_ok=True)
        with self._changing:
            self._recorders.pop(str(handle["run"]), None)

    def living(self, handle: Handle) -> Container | None:
        """The record of a running container."""
        recorder = self._recorders.get(str(handle.get("run")))
        return recorder.living if recorder else None

    def close(self) -> None:
        """Leaves the containers alone from here on."""
        with self._changing:
            self._closed = True
            recorders = list(self._recorders.values())
            self._recorders.clear()
        for recorder in recorders:
            recorder.close(patience_s=0.0)
        until = time.monotonic() + _CLOSING_S
        for recorder in recorders:
            recorder.join(max(0.0, until - time.monotonic()))

    # ---- small things

    def _start(self, run: Path, handle: Handle, request: LaunchRequest) -> None:
        recorder: Recorder | None = None
        try:
            run.mkdir(mode=0o700, parents=True, exist_ok=True)
            limits = {"time_limit_s": request.spec.resources.time_limit_s}
            write_json(run / RUN, {"container": handle["container"], **limits})
            with self._changing:
                waiting = self._recorders.pop(request.job_id, None)  # of a container that was found before its start
                recorder = self._record(request.job_id, handle)
            if waiting is not None:
                waiting.close()
            recorder.attach()
            self._engine.start(recorder.container)
        except BaseException:
            with self._changing:
                self._recorders.pop(request.job_id, None)
            if recorder is not None:
                recorder.close()
            (run / RUN).unlink(missing_ok=True)
            self._left.add(str(handle["container"]))
            self._clear()
            raise
        recorder.begin()

    def _end_before_its_start(self, recorder: Recorder, run: Path) -> bool:
        """Ends a container that a server made, and did not live to start: no signal would ever reach it."""
        container = self._engine.inspect(recorder.container)
        if container is None or container["State"]["Status"] != "created":
            return False
        recorder.close()
        self._engine.remove(recorder.container)
        end = Exit(signal=signals.SIGTERM, stop_delivered=True, ended_ms=self._clock_ms())
        write_json(run / EXIT, asdict(end))
        return True

    def _clear(self) -> None:
        """Removes what could not be removed before."""
        for container in tuple(self._left):
            try:
                self._engine.remove(container)
            except EngineError as e:
                log.warning("container %s is of no more use, and is left for now: %s", container, e)
            else:
                self._left.discard(container)

    def _record(self, job_id: str, handle: Handle) -> Recorder:
        run = self._folder / job_id
        known = read_json(run / RUN) or {}
        container = str(handle["container"])
        warden = Warden(
            self._engine,
            container,
            run,
            grace_s=self._grace_s,
            time_limit_s=known.get("time_limit_s"),
            clock_ms=self._clock_ms,
        )
        recorder = Recorder(
            self._engine,
            container,
            run,
            warden,
            max_log_bytes=self._max_log_bytes,
            clock_ms=self._clock_ms,
            peak=self._peak,
        )
        self._recorders[job_id] = recorder
        return recorder
