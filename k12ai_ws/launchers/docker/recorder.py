"""One container's recorder: a thread that writes what it prints into the run's journal, and at the end how it ended.

It reads the attached stream, which costs the engine next to nothing and makes a container that prints faster than the
disk takes wait in its print. That stream has no positions and ends with any lost connection; so its end is believed
only where the container is seen to have ended and the engine's own log ends as the record does. Otherwise, and for a
container that an earlier server started, what is missing is read from that log, byte for byte.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from k12ai_ws.launchers.recording.files import EXIT, JOURNAL, write_json
from k12ai_ws.wire.job import Exit

from .ending import Absence, Witness, exit_of, has_ended
from .engine import Container, Engine, EngineError, EngineGone, Stream
from .listening import Listener
from .messages import Demultiplexer, Garbled, Message, MessageReader
from .record import Record
from .warden import Warden

_LOOK_S: Final = 0.5
_SLOWEST_S: Final = 5.0
_LONGEST_S: Final = 60.0
_SOON_S: Final = 0.02
_ENDING_S: Final = 2.0
_PATIENCE_S: Final = 30.0
_TAIL_MESSAGES: Final = 64
_REMOVED: Final = ("removing", "dead")
_DISTRUST: Final = 3
"""So often the engine's log is read again where it does not end as the record does."""

log = logging.getLogger(__name__)


class Recorder:
    """Records one container in the directory `run`. `begin` once; `close` at the server's end.

    `max_log_bytes`: bound of the journal. `warden` ends the container. `peak` is asked several times a second with the
    running container's record; it gives the highest memory use seen so far in bytes, where that is known.
    """

    def __init__(
        self,
        engine: Engine,
        container: str,
        run: Path,
        warden: Warden,
        *,
        max_log_bytes: int,
        clock_ms: Callable[[], int],
        peak: Callable[[Container], int | None] = lambda _: None,
    ) -> None:
        self.container = container
        self.warden = warden
        self._engine = engine
        self._run = run
        self._max_log_bytes = max_log_bytes
        self._clock_ms = clock_ms
        self._read_peak = peak
        self._closing = threading.Event()
        self._over = threading.Event()
        self._attached: Stream | None = None
        self._stream: Stream | None = None
        self._living: Container | None = None
        self._absence = Absence()
        self._distrusted = 0
        self._listener = Listener(engine, container, _LOOK_S)
        self._peak: int | None = None
        self._look_at = 0.0
        self._thread = threading.Thread(target=self._main, name=f"record {container[:12]}", daemon=True)

    @property
    def living(self) -> Container | None:
        """The container's record as it was seen at its start; None before it, and after its end."""
        return self._living

    def ended(self, patience_s: float) -> bool:
        """Whether the run's end is recorded; waits for it, `patience_s` seconds at most."""
        return self._over.wait(patience_s)

    def attach(self) -> None:
        """Before the container is started. Raises EngineError."""
        self._attached = self._engine.attach(self.container)

    def begin(self) -> None:
        """After the container was started, or found."""
        self._thread.start()

    def close(self, patience_s: float = 2.0) -> None:
        """Leaves off; the container goes on. Waits for the thread, so many seconds at most."""
        self._closing.set()
        for stream in (self._stream, self._attached):
            if stream is not None:
                stream.close()
        self.join(patience_s)

    def join(self, patience_s: float) -> None:
        """Waits for the thread to end, so many seconds at most."""
        if self._thread.is_alive():
            self._thread.join(patience_s)

    # ---- the thread

    def _main(self) -> None:
        failures = 0
        while not self._closing.is_set() and not self._over.is_set():
            try:
                self._record()
            except OSError as e:  # no descriptor left, no disk: all may pass, and the engine's log keeps what is missed
                log.error("recording container %s: %s; trying again", self.container, e)
                self._closing.wait(_SLOWEST_S)
            except Exception as e:
                log.exception("recording container %s failed", self.container)
                failures += 1
                if failures > _DISTRUST:  # whoever follows the run waits for its end, and would for ever
                    text = f"recording the container failed: {type(e).__name__}: {e}"
                    self._write_exit(Exit(lost=True, ended_ms=self._clock_ms(), message=text))
                self._closing.wait(_LOOK_S)

    def _record(self) -> None:
        record = Record(
            self._run / JOURNAL,
            self._max_log_bytes,
            clock_ms=self._clock_ms,
            closing=self._closing.is_set,
            meanwhile=self._look,
        )
        try:
            until = time.monotonic()
            attached, self._attached = self._attached, None
            if attached is not None:
                with self._streaming(attached) as stream:
                    self._take_attached(stream, record)
                until = time.monotonic() + _ENDING_S
            end = self._follow_to_the_end(record, until)
            if end is not None:
                record.finish()
                self._living = None
                self._write_exit(end)
        finally:
            record.close()

    def _follow_to_the_end(self, record: Record, until: float) -> Exit | None:
        """Makes the record whole, however often it takes; None where the recorder was closed before the end. Until
        then (on the monotonic clock) a container that still runs is given time to end, as its streams have.
        """
        pause = _LOOK_S
        self._distrusted = 0
        while not self._closing.is_set():
            try:
                if (end := self._step(record, until)) is not None:
                    return end
                pause = _LOOK_S
            except EngineGone as e:
                if self._closing.is_set():
                    return None
                self._distrusted = 0
                if self._absence.begins(self._clock_ms()):
                    log.error("container %s: %s; waiting for it", self.container, e)
                self._closing.wait(pause)
                pause = min(pause * 1.5, _SLOWEST_S)
            except (EngineError, Garbled) as e:
                log.warning("container %s: %s; trying again", self.container, e)
                self._closing.wait(pause)
                pause = min(pause * 1.5, _SLOWEST_S)
        return None

    def _step(self, record: Record, until: float) -> Exit | None:
        """One look at the container, and what follows from it. Raises EngineError, Garbled."""
        container = self._engine.inspect(self.container)
        if container is None or container["State"]["Status"] in _REMOVED:
            text = "the job's container was removed, and nobody saw how it ended"
            return Exit(lost=True, ended_ms=self._clock_ms(), message=text)
        if not has_ended(container):
            if time.monotonic() < until:
                self._closing.wait(_SOON_S)
                return None
            self._living = container
            self._catch_up(record, follow=True)
            self._closing.wait(_LOOK_S)
            return None
        self._distrusted += 1
        if self._distrusted > 2 * _DISTRUST:  # a log that nobody can read must not keep a job from its end
            record.say("the engine's log of this job cannot be read or ends in another way: lines may be missing")
        elif not self._is_whole(record):
            self._catch_up(record, follow=False)
            return None
        return self._exit(container, record)

    def _take_attached(self, stream: Stream, record: Record) -> None:
        demultiplexer = Demultiplexer()
        self._look()
        while not self._closing.is_set():
            try:
                data = self._listener.read(stream)
                frames = demultiplexer.feed(data) if data else ()
            except (EngineError, Garbled) as e:
                if not self._closing.is_set():
                    log.warning("container %s: %s; what is missing is read from the engine's log", self.container, e)
                return
            if data == b"":
                return
            now = self._clock_ms()
            record.take_all([Message(which, now, payload) for which, payload in frames])
            self._look()

    def _catch_up(self, record: Record, *, follow: bool) -> None:
        """Records what the engine's log has and the record has not; with `follow`, until that ends in whatever way.
        Raises EngineError, Garbled.
        """
        gap, reader = record.gap(), MessageReader()
        with self._streaming(self._engine.logs(self.container, follow=follow)) as stream:
            self._absence.ends(self._clock_ms())
            while not self._closing.is_set():
                data = self._listener.read(stream)
                if data == b"":
                    break
                was_rotated = gap.rotated
                missing = list(gap.missing(reader.feed(data))) if data else []
                if gap.rotated and not was_rotated:
                    record.say("the engine has rotated its log of this job: lines may be missing here")
                record.take_all(missing)
                self._look()

    def _is_whole(self, record: Record) -> bool:
        """Whether the engine's log ends as the record does. Raises EngineError, Garbled."""
        reader = MessageReader()
        with self._streaming(self._engine.logs(self.container, tail=_TAIL_MESSAGES)) as stream:
            self._absence.ends(self._clock_ms())
            return record.ends_as([each for data in stream.read_all(_PATIENCE_S) for each in reader.feed(data)])

    def _look(self) -> None:
        """Twice a second while the container runs."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_S
        try:
            if self._living is None:
                found = self._engine.inspect(self.container)
                self._living = found if found and found["State"]["Running"] else None
            if self._living is not None:
                self._peak = max(self._read_peak(self._living) or 0, self._peak or 0) or None
                self.warden.look(self._living)
        except EngineError as e:
            log.warning("container %s: %s; trying again", self.container, e)

    def _exit(self, container: Container, record: Record) -> Exit:
        orders = self.warden.orders
        return exit_of(
            container,
            Witness(orders.stop_delivered, orders.timed_out, record.last_words, self._peak, self._absence.span),
        )

    def _write_exit(self, end: Exit) -> None:
        pause = _LOOK_S
        while not self._closing.is_set():
            try:
                write_json(self._run / EXIT, asdict(end))
            except FileNotFoundError:  # the run's directory was removed: there is nobody left to tell
                log.exception("the end of container %s could not be recorded", self.container)
                self._over.set()
                return
            except OSError as e:
                log.error("the end of container %s could not be recorded: %s; trying again", self.container, e)
                self._closing.wait(pause)
                pause = min(pause * 2, _LONGEST_S)
            else:
                self._over.set()
                return

    @contextlib.contextmanager
    def _streaming(self, stream: Stream) -> Iterator[Stream]:
        """So that `close` ends the read under way."""
        self._stream = stream
        try:
            yield stream
        finally:
            self._stream = None
            stream.close()
