"""The channel against a reference: whatever happens, each connection gets what its subscriptions are owed.

Rules make things happen to a real server: clients that subscribe, resume, stop reading and vanish; jobs; events of
every kind; restarts. Every frame is judged as it is read (`channelrig.reference.View`): the bytes are those that were
stored, somebody asked for it, nothing came twice, out of order or with a gap. `settle` then sees that all has come.

A longer hunt: `K12AI_MODEL_EXAMPLES=5000 K12AI_MODEL_STEPS=60 pytest tests/channel/test_model.py`. What hypothesis
prints at a failure (`@reproduce_failure`, or the steps themselves) repeats it.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from channelrig.connection import PATIENCE_S, Connection
from channelrig.reference import Log
from channelrig.server import Complaints, Watched, a_job
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from k12ai_ws.store.store import StoredEvent
from k12ai_ws.testing.fake_launcher import FakeLauncher, FakeRun

T = TypeVar("T")

EXAMPLES = int(os.environ.get("K12AI_MODEL_EXAMPLES", "40"))
STEPS = int(os.environ.get("K12AI_MODEL_STEPS", "25"))

TYPES = ["status", "metrics", "progress", "log", "error", "info"]
MAX_CONNECTIONS, MAX_SUBSCRIPTIONS, MAX_JOBS, MAX_RESTARTS = 5, 4, 3, 3
EPOCH_OF_ANOTHER_LOG = "0" * 32
SMALL_RECEIVE_BUFFER = 16_384
STORED = [
    a_job("job-0", "alice", "p", "toy"),
    a_job("job-1", "alice", "q", "other"),
    a_job("job-2", "bob", "p", "toy"),
    a_job("job-3", "bob", "q", "other"),
]

any_of = st.integers(0, 1 << 16)
"""Picks one of what there is, whatever that is."""
filters = st.fixed_dictionaries(
    {},
    optional={
        "user": st.sampled_from(["alice", "bob", "carol", "nobody"]),
        "service_uuid": st.sampled_from(["p", "q"]),
        "service_name": st.sampled_from(["toy", "other"]),
        "job_id": st.sampled_from([r.job_id for r in STORED]),
        "tag": st.lists(st.sampled_from(["framework", "platform"]), min_size=1, max_size=2),
        "type": st.lists(st.sampled_from(TYPES), min_size=1, max_size=6, unique=True),
    },
)
wide = st.sampled_from([{}, {"type": TYPES}, {"user": "alice", "type": TYPES}, {"user": "alice"}, {"type": ["log"]}])
starts = st.sampled_from(["now", "start", "start", "beyond"]) | st.integers(0, 1000)
"""A word, or thousandths of the log."""
names = st.sampled_from(["first", "a", "b", "c", "d"])
clients = st.tuples(st.booleans(), st.booleans(), st.none() | wide, st.sampled_from(["now", "start"]))
"""Whether its receive buffer is small, whether it reads, and what it begins with."""
pads = st.sampled_from([0, 0, 100, 20_000])
batches = st.lists(st.tuples(st.sampled_from(TYPES), pads), min_size=1, max_size=8)


def not_on_disk(folder: str, names: list[str]) -> list[str]:
    """What of a folder a crash leaves nothing of: shared memory, locks, pipes."""
    gone = (n for n in names if n.endswith(("-shm", ".lock")))
    return [*gone, *(n for n in names if not (Path(folder, n).is_file() or Path(folder, n).is_dir()))]


class ChannelMachine(RuleBasedStateMachine):
    """One server with its data folder, its clients and its jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="k12ai-model-"))
        self.complaints = Complaints()
        self.complaints.__enter__()
        self.log = Log()
        self.launcher = FakeLauncher()
        self.server: Watched | None = None
        self.connections: list[Connection] = []
        self.runs: dict[str, FakeRun] = {}
        self.printed: dict[str, list[str]] = {}
        self.changed = asyncio.Event()
        self.incarnation = 0
        self.failed = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self.loop.run_until_complete(work)
        except BaseException:
            self.failed = True
            raise

    # ---- the server

    @initialize(
        buffer_bytes=st.sampled_from([1, 4096, 1 << 20]),
        send_buffer=st.sampled_from([16_384, 16_384, None]),
        bookmark_s=st.sampled_from([0.05, 30.0]),
        first=st.lists(clients, min_size=1, max_size=MAX_CONNECTIONS),
    )
    def begin(self, buffer_bytes: int, send_buffer: int | None, bookmark_s: float, first: list[Any]) -> None:
        self.send_buffer = send_buffer
        self.channel = {
            "buffer_bytes": buffer_bytes, "bookmark_s": bookmark_s, "max_subscriptions": MAX_SUBSCRIPTIONS,
        }  # fmt: skip
        self.run(self._start(self.folder / "0"))
        for client in first:
            self.run(self._add(*client))

    async def _start(self, data_dir: Path) -> None:
        self.incarnation += 1
        incarnation = self.incarnation

        def committed(events: Sequence[StoredEvent]) -> None:
            if incarnation == self.incarnation:
                self.log.committed(events)
                self.changed.set()

        self.data_dir = data_dir
        self.server = Watched(
            data_dir, launcher=self.launcher, listener=committed, channel=self.channel, send_buffer=self.send_buffer
        )
        await self.server.start()
        self.log.epoch = self.log.epoch or self.server.store.epoch
        assert (self.server.store.epoch, self.server.store.head) == (self.log.epoch, self.log.head)
        self.control = await self._connect()

    async def _connect(self, buffer: int | None = None) -> Connection:
        return await Connection.open(self.server.address, self.log, MAX_SUBSCRIPTIONS, buffer=buffer)

    @precondition(lambda self: self.incarnation <= MAX_RESTARTS)
    @rule(comes_back=st.booleans())
    def restart(self, comes_back: bool) -> None:
        """In good order: everyone is told goodbye, once what was under way is written."""

        async def restart() -> None:
            for connection in self._take(lambda c: not c.reading):  # whose goodbye would be waited for
                connection.vanish()
            left, self.connections = self.connections, []
            everyone = [self.control, *left]
            await asyncio.gather(self.server.close(), *(c.read_to_the_end() for c in everyone))
            assert [c.close_code for c in everyone] == [1001] * len(everyone)
            await self._start(self.data_dir)
            if comes_back:
                await self._resume(left)

        self.run(restart())

    @precondition(lambda self: self.incarnation <= MAX_RESTARTS)
    @rule(comes_back=st.booleans())
    def crash(self, comes_back: bool) -> None:
        """The next server finds the files as they lay when nobody had been told anything."""

        async def crash() -> None:
            await self._append([(0, [("status", 0)])])
            files = self.folder / str(self.incarnation)
            shutil.copytree(self.data_dir, files, ignore=not_on_disk)
            self.incarnation += 1  # what the old one still does is not heard
            left, self.connections = self.connections, []
            for connection in [self.control, *left]:
                connection.vanish()
            await self.server.close()
            await self._start(files)
            if comes_back:
                await self._resume(left)

        self.run(crash())

    # ---- clients

    def _take(self, condition: Any) -> list[Connection]:
        taken = [c for c in self.connections if condition(c)]
        self.connections = [c for c in self.connections if not condition(c)]
        return taken

    def _one(self, which: int) -> Connection:
        return self.connections[which % len(self.connections)]

    @precondition(lambda self: len(self.connections) < MAX_CONNECTIONS)
    @rule(client=clients)
    def connect(self, client: tuple[bool, bool, dict[str, Any] | None, str]) -> None:
        self.run(self._add(*client))

    async def _add(self, small: bool, reads: bool, wanted: dict[str, Any] | None, start: str) -> None:
        connection = await self._connect(SMALL_RECEIVE_BUFFER if small else None)
        self.connections.append(connection)
        connection.reading = reads
        if wanted is not None:
            await connection.subscribe("first", wanted, start)

    @precondition(lambda self: self.connections)
    @rule(which=any_of, name=names, wanted=filters | wide, start=starts, epoch=st.sampled_from([None, "own", "other"]))
    def subscribe(self, which: int, name: str, wanted: dict[str, Any], start: Any, epoch: str | None) -> None:
        after = start if start in ("now", "start") else self.log.head * start // 1000 if start != "beyond" else 1 << 40
        named = {None: None, "own": self.log.epoch, "other": EPOCH_OF_ANOTHER_LOG}[epoch]
        self.run(self._one(which).subscribe(name, wanted, after, named))

    @precondition(lambda self: self.connections)
    @rule(which=any_of, name=names)
    def unsubscribe(self, which: int, name: str) -> None:
        self.run(self._one(which).ask("unsubscribe", name))

    @precondition(lambda self: self.connections)
    @rule(which=any_of)
    def resume(self, which: int) -> None:
        """A client vanishes, and comes back with the tokens of what it has seen."""

        async def resume() -> None:
            connection = self._one(which)
            self.connections.remove(connection)
            connection.vanish()
            await self._resume([connection])

        self.run(resume())

    async def _resume(self, left: Sequence[Connection]) -> None:
        for before in left:
            connection = await self._connect()
            self.connections.append(connection)
            for name, subscription in before.view.subscriptions.items():
                await connection.subscribe(name, subscription.wanted, subscription.passed, self.log.epoch)

    @precondition(lambda self: self.connections)
    @rule(which=any_of, how=st.sampled_from(["goodbye", "hang up", "vanish"]))
    def disconnect(self, which: int, how: str) -> None:
        connection = self._one(which)
        self.connections.remove(connection)
        match how:
            case "goodbye":
                self.run(connection.say_goodbye())
            case "hang up":
                connection.hang_up()
            case "vanish":
                connection.vanish()

    @precondition(lambda self: self.connections)
    @rule(which=any_of)
    def stop_reading(self, which: int) -> None:
        self._one(which).reading = False

    @precondition(lambda self: any(not c.reading and c.waits_for for c in self.connections))
    @rule(which=any_of, most=st.sampled_from([1, 2, 100, 5000]))
    def read_a_little(self, which: int, most: int) -> None:
        slow = [c for c in self.connections if not c.reading and c.waits_for]
        self.run(slow[which % len(slow)].read(most))

    @precondition(lambda self: any(not c.reading for c in self.connections))
    @rule(which=any_of)
    def read_on(self, which: int) -> None:
        slow = [c for c in self.connections if not c.reading]
        slow[which % len(slow)].reading = True

    # ---- events

    async def _append(self, changes: Sequence[tuple[int, Sequence[tuple[str, int]]]]) -> None:
        await asyncio.gather(*(self.server.append(STORED[i % len(STORED)], events) for i, events in changes))

    @rule(changes=st.lists(st.tuples(any_of, batches), min_size=1, max_size=4))
    def append(self, changes: list[tuple[int, list[tuple[str, int]]]]) -> None:
        """Some events, of several jobs at once."""
        self.run(self._append(changes))

    @rule(job=any_of, kind=st.sampled_from(TYPES), bulk=st.sampled_from([(40, 3000), (700, 0), (80, 20_000), "edge"]))
    def append_many(self, job: int, kind: str, bulk: Any) -> None:
        """More than a page of a replay, in number or in bytes; or those about the edge of a frame's 16 bit length."""

        async def append() -> None:
            if bulk != "edge":
                count, pad = bulk
                await self._append([(job, [(kind, pad)] * count)])
                return
            for size in range((1 << 16) - 2, (1 << 16) + 2):
                await self._append([(job, [(kind, 0)])])
                bare = len(self.log.get(self.log.head).payload) + len(str(self.log.head + 1)) - len(str(self.log.head))
                await self._append([(job, [(kind, size - bare)])])
                assert len(self.log.get(self.log.head).payload) == size

        self.run(append())

    # ---- jobs

    def _running(self) -> list[str]:
        return [job_id for job_id, run in self.runs.items() if run.exit is None]

    async def _until(self, condition: Any) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _lines(self, job_id: str) -> list[str]:
        events = (e.message for e in reversed(list(self.log.between(0, self.log.head))))
        return [line for m in events if m["type"] == "log" and m["job_id"] == job_id for line in m["log"]["lines"]]

    def _last_status(self, job_id: str) -> str | None:
        events = (e.message for e in self.log.between(0, self.log.head))
        return next((m["status"]["value"] for m in events if m["type"] == "status" and m["job_id"] == job_id), None)

    @precondition(lambda self: len(self._running()) < MAX_JOBS)
    @rule()
    def start_a_job(self) -> None:
        async def start() -> None:
            request = f"start {len(self.runs)}"
            await self.control.ask(
                "train.start", request, tag="framework", user="carol", service_name="toy",
                service_uuid=f"carols-{len(self.runs)}", service_params={},
            )  # fmt: skip
            await self.control.settle()
            job_id = self.control.job_ids[request]
            async with asyncio.timeout(PATIENCE_S):
                self.runs[job_id] = await self.launcher.started(job_id)
            self.printed[job_id] = []
            await self._until(lambda: self._last_status(job_id) == "running")

        self.run(start())

    @precondition(lambda self: self._running())
    @rule(which=any_of, count=st.integers(1, 5))
    def print_lines(self, which: int, count: int) -> None:
        async def printing() -> None:
            job_id = self._running()[which % len(self._running())]
            said = self.printed[job_id]
            fresh = [f"epoch={len(said) + i} loss=0.5" for i in range(count)]
            said += fresh
            self.runs[job_id].print("".join(f"{line}\n" for line in fresh))
            self.runs[job_id].pause()
            await self._until(lambda: self._lines(job_id) == said)

        self.run(printing())

    @precondition(lambda self: self._running())
    @rule(which=any_of, exit_code=st.sampled_from([0, 1]))
    def end_a_job(self, which: int, exit_code: int) -> None:
        async def end() -> None:
            job_id = self._running()[which % len(self._running())]
            self.runs[job_id].print("a last line\n")
            self.printed[job_id].append("a last line")
            self.runs[job_id].end(exit_code=exit_code)
            await self._until(lambda: self._last_status(job_id) in ("finished", "failed"))
            assert self._lines(job_id) == self.printed[job_id]

        self.run(end())

    # ---- the judgement

    @rule()
    def settle(self) -> None:
        """Everyone who reads has all that is due, and no more."""

        async def settle() -> None:
            await asyncio.gather(*(c.settle() for c in [self.control, *self.connections] if c.reading))

        self.run(settle())
        self.complaints.none()

    def teardown(self) -> None:
        async def end() -> None:
            for connection in self.connections:
                connection.reading = True
            late = await self._connect()
            await late.subscribe("everything", {"type": TYPES}, "start")
            self.connections.append(late)
            await self._append([(0, [("status", 0)])])
            await asyncio.gather(*(c.settle() for c in [self.control, *self.connections]))

        try:
            if self.server is not None and not self.failed:
                self.run(end())
        finally:
            self.run(self._leave())
            self.loop.close()
            self.complaints.__exit__()
            shutil.rmtree(self.folder)
        self.complaints.none()

    async def _leave(self) -> None:
        if self.server is not None:
            for connection in [self.control, *self.connections]:
                connection.vanish()
            await self.server.close()
        await self.loop.shutdown_default_executor()


TestChannel = ChannelMachine.TestCase
TestChannel.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
)
