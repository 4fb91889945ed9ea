"""The meter on made-up trees of control groups, of both versions and mixed, and on an engine's answers."""

import os
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from k12ai_ws.launchers.docker.oneshot import MAX_AGE_S, Answer, OneShots, read_shot
from k12ai_ws.launchers.docker.usage import KEEP_S, ContainerMeter, ContainerRef

ID, OTHER = "a" * 64, "b" * 64
MIB = 1 << 20
HOST = 1000 * MIB
UNLIMITED = 9223372036854771712
TICKS = os.sysconf("SC_CLK_TCK")


class Host:
    """A machine's /proc and its trees of control groups, in a folder, on a clock that the test moves."""

    def __init__(self, root: Path, kind: str) -> None:
        self.root, self.kind, self.now = root, kind, 1000.0
        self.mounts: list[str] = []
        if kind == "v2":
            self.mount("cgroup2", "", "cgroup")
        else:
            names = ("cpu,cpuacct", "memory", "pids") if kind == "joined" else ("cpu", "cpuacct", "memory", "pids")
            for name in names:
                self.mount("cgroup", name, name)
            self.mount("cgroup2", "", "unified")
        self.tell("proc/uptime", "500.00 900.00")

    def mount(self, fs: str, options: str, folder: str, root: str = "/") -> None:
        point = str(self.root / "sys" / folder).replace(" ", "\\040")
        (self.root / "sys" / folder).mkdir(parents=True, exist_ok=True)
        options = ",".join(["rw", *([options] if options else [])])
        self.mounts.append(f"30 20 0:1 {root} {point} rw shared:7 - {fs} {fs} {options}")
        self.tell("proc/self/mountinfo", "22 27 0:21 / /proc rw - proc proc rw\n" + "\n".join(self.mounts) + "\n")

    def tell(self, path: str, text: object) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(f"{text}\n")

    def process(self, pid: int, path: str, age_s: float = 10.0) -> None:
        if self.kind == "v2":
            lines = [f"0::{path}"]
        elif self.kind == "joined":
            lines = [f"4:memory:{path}", f"3:cpu,cpuacct:{path}", f"2:pids:{path}", "1:name=systemd:/", "0::/"]
        else:
            lines = [*(f"{n}:{c}:{path}" for n, c in enumerate(("cpu", "cpuacct", "memory", "pids"), 1)), "0::/x"]
        self.tell(f"proc/{pid}/cgroup", "\n".join(lines))
        rest = " ".join(["S", *["0"] * 18, str(int((500 - age_s) * TICKS)), "0"])
        self.tell(f"proc/{pid}/stat", f"{pid} (a) b (c) {rest}")

    def group(
        self, path: str, *, cpu_s: float = 1.0, used: int = 60, idle: int = 10, limit: int | None = 100,
        pids: tuple[int, ...] = (41,), peak: int = 80, kills: int = 0,
    ) -> None:  # fmt: skip
        """Memory in MiB."""
        procs = "\n".join(str(pid) for pid in pids)
        if self.kind == "v2":
            at = f"sys/cgroup{path}"
            self.tell(f"{at}/cpu.stat", f"usage_usec {round(cpu_s * 1e6)}\nuser_usec 1")
            self.tell(f"{at}/memory.current", used * MIB)
            self.tell(f"{at}/memory.stat", f"anon 7\nfile 5\ninactive_file {idle * MIB}\nactive_file 3")
            self.tell(f"{at}/memory.max", "max" if limit is None else limit * MIB)
            self.tell(f"{at}/memory.peak", peak * MIB)
            self.tell(f"{at}/memory.events", f"low 0\noom 9\noom_kill {kills}\noom_group_kill 0")
            self.tell(f"{at}/cgroup.procs", procs)
            return
        cpuacct = "cpu,cpuacct" if self.kind == "joined" else "cpuacct"
        self.tell(f"sys/{cpuacct}{path}/cpuacct.usage", round(cpu_s * 1e9))
        at = f"sys/memory{path}"
        self.tell(f"{at}/memory.usage_in_bytes", used * MIB)
        self.tell(f"{at}/memory.stat", f"inactive_file 1\ntotal_cache 1\ntotal_inactive_file {idle * MIB}\ntotal_rss 1")
        self.tell(f"{at}/memory.limit_in_bytes", UNLIMITED if limit is None else limit * MIB)
        self.tell(f"{at}/memory.max_usage_in_bytes", peak * MIB)
        self.tell(f"{at}/memory.oom_control", f"oom_kill_disable 0\nunder_oom 0\noom_kill {kills}")
        self.tell(f"{at}/cgroup.procs", procs)

    def remove(self, path: str) -> None:
        for tree in (self.root / "sys").iterdir():
            shutil.rmtree(tree / path.lstrip("/"), ignore_errors=True)

    def meter(self, engine: Callable[[str], Mapping[str, Any] | None] | None = None, **more: Any) -> ContainerMeter:
        return ContainerMeter(
            engine_stats=engine, proc=self.root / "proc", host_memory=HOST, clock=lambda: self.now, **more
        )


def ref(container_id: str = ID, pid: int = 41, limit: int = 0) -> ContainerRef:
    return ContainerRef(container_id, pid, "k12ai-j1", limit)


@pytest.fixture(params=["v1", "joined", "v2"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    return Host(tmp_path / "a host", request.param)


@pytest.fixture
def v1(tmp_path: Path) -> Host:
    return Host(tmp_path, "v1")


def place(host: Host, container_id: str = ID) -> str:
    return f"/system.slice/docker-{container_id}.scope" if host.kind == "v2" else f"/docker/{container_id}"


def shot(cpu_s: float = 1.0, used: int = 60, idle: int = 10, at: int = 0, **memory: Any) -> dict[str, Any]:
    return {
        "read": f"2026-01-01T00:00:{at:02}.123456789Z",
        "cpu_stats": {"cpu_usage": {"total_usage": round(cpu_s * 1e9)}},
        "memory_stats": {"usage": used * MIB, "limit": 100 * MIB, "stats": {"inactive_file": idle * MIB}} | memory,
    }


def test_the_first_look_is_the_average_since_the_start_and_the_next_the_difference(host: Host) -> None:
    host.process(41, place(host), age_s=10.0)
    host.group(place(host), cpu_s=5.0, pids=(41, 42))
    meter = host.meter()
    first = meter.measure({"j1": ref()})["j1"]
    assert first.cpu_percent == pytest.approx(50.0)
    assert (first.id, first.name, first.pids) == (ID, "k12ai-j1", (41, 42))
    assert (first.memory_usage, first.memory_total) == (50 * MIB, 100 * MIB)
    host.now += 2.0
    host.group(place(host), cpu_s=8.0)
    assert meter.measure({"j1": ref()})["j1"].cpu_percent == pytest.approx(150.0)


def test_within_the_interval_the_answer_is_the_one_before(host: Host) -> None:
    host.process(41, place(host))
    host.group(place(host))
    meter = host.meter(interval_s=1.0)
    first = meter.measure({"j1": ref()})
    host.group(place(host), cpu_s=1.5, used=90)
    host.now += 0.99
    assert meter.measure({"j1": ref()}) == first
    host.now += 0.01
    again = meter.measure({"j1": ref(), "the same": ref()})
    assert again["j1"] == again["the same"]
    assert (again["j1"].memory_usage, again["j1"].cpu_percent) == (80 * MIB, pytest.approx(50.0))


def test_no_limit_is_the_host_s_memory_and_the_lowest_limit_holds(host: Host) -> None:
    host.process(41, place(host))
    host.group(place(host), limit=None)
    assert host.meter().measure({"j1": ref()})["j1"].memory_total == HOST
    assert host.meter().measure({"j1": ref(limit=64 * MIB)})["j1"].memory_total == 64 * MIB


def test_page_cache_that_outruns_the_usage_is_not_taken_away(host: Host) -> None:
    host.process(41, place(host))
    host.group(place(host), used=10, idle=20)
    assert host.meter().measure({"j1": ref()})["j1"].memory_usage == 10 * MIB


def test_processes_of_groups_made_inside_count_and_their_first_one_is_found_there(host: Host) -> None:
    host.process(41, f"{place(host)}/init.scope")
    host.group(place(host), pids=())
    tree = "sys/cgroup" if host.kind == "v2" else "sys/memory"
    host.tell(f"{tree}{place(host)}/init.scope/cgroup.procs", "41")
    host.tell(f"{tree}{place(host)}/a/cgroup.procs", "")
    host.tell(f"{tree}{place(host)}/a/b/cgroup.procs", "43\n0\n44")
    stats = host.meter().measure({"j1": ref()})["j1"]
    assert sorted(stats.pids) == [41, 43, 44]
    assert stats.memory_usage == 50 * MIB


def test_a_group_whose_processes_are_not_ours_to_see_still_runs(host: Host) -> None:
    host.process(41, place(host))
    host.group(place(host), pids=(0, 0))
    stats = host.meter().measure({"j1": ref()})["j1"]
    assert stats.pids == ()
    assert stats.cpu_percent == 0.0, "how old the container is, is not known"


def test_a_container_that_ended_is_left_out_and_its_peak_is_kept(host: Host) -> None:
    host.process(41, place(host))
    host.group(place(host), peak=99, kills=2)
    meter = host.meter()
    assert meter.measure({"j1": ref()}).keys() == {"j1"}
    host.group(place(host), pids=())
    host.now += 5
    assert meter.measure({"j1": ref()}) == {}
    host.remove(place(host))
    shutil.rmtree(host.root / "proc" / "41")
    host.now += 5
    assert meter.measure({"j1": ref(), "j2": ref(pid=0)}) == {}
    assert (meter.peak(ref()), meter.oom_kills(ref())) == (99 * MIB, 2)


def test_the_peak_of_a_kernel_that_keeps_none_is_the_highest_that_was_seen(tmp_path: Path) -> None:
    host = Host(tmp_path, "v2")
    host.process(41, place(host))
    meter = host.meter()
    for used in (30, 70, 20):
        host.group(place(host), used=used)
        (tmp_path / f"sys/cgroup{place(host)}/memory.peak").unlink()
        meter.measure({"j1": ref()})
        host.now += 1
    assert meter.peak(ref()) == 70 * MIB


def test_peak_and_kills_are_read_when_asked_for(host: Host) -> None:
    host.process(41, place(host))
    host.group(place(host), peak=80, kills=0)
    meter = host.meter()
    assert (meter.peak(ref()), meter.oom_kills(ref())) == (80 * MIB, 0)
    host.group(place(host), peak=90, kills=1)
    assert (meter.peak(ref()), meter.oom_kills(ref())) == (90 * MIB, 1)
    assert (meter.peak(ref(OTHER, 5)), meter.oom_kills(ref(OTHER, 5))) == (None, None)


def test_a_number_that_another_process_got_is_not_the_container(host: Host) -> None:
    host.process(41, place(host, OTHER))
    host.group(place(host, OTHER))
    assert host.meter().measure({"j1": ref()}) == {}


def test_a_container_that_was_started_again_begins_anew(host: Host) -> None:
    host.process(41, place(host))
    host.group(place(host), cpu_s=100.0)
    meter = host.meter()
    meter.measure({"j1": ref()})
    host.now += 5
    host.process(77, place(host), age_s=4.0)
    host.group(place(host), cpu_s=1.0, pids=(77,))
    assert meter.measure({"j1": ref(pid=77)})["j1"].cpu_percent == pytest.approx(25.0)


def test_memory_under_the_second_version_and_processors_under_the_first(v1: Host) -> None:
    v1.process(41, place(v1))
    v1.group(place(v1))
    paths = f"3:cpuacct:{place(v1)}\n0::{place(v1)}"
    v1.tell("proc/41/cgroup", paths)
    v1.tell("proc/self/mountinfo", "\n".join(line for line in v1.mounts if "sys/memory" not in line))
    at = f"sys/unified{place(v1)}"
    v1.tell(f"{at}/cgroup.procs", "41")
    assert v1.meter().measure({"j1": ref()}) == {}, "no tree counts its memory"
    for name, value in (("current", 7 * MIB), ("max", "max"), ("stat", "inactive_file 0")):
        v1.tell(f"{at}/memory.{name}", value)
    stats = v1.meter().measure({"j1": ref()})["j1"]
    assert (stats.memory_usage, stats.cpu_percent) == (7 * MIB, pytest.approx(10.0))


def test_a_mount_of_the_server_s_own_group_alone_shows_no_other_container(v1: Host) -> None:
    v1.mounts.clear()
    for name in ("cpuacct", "memory"):
        v1.mount("cgroup", name, name, root=f"/docker/{OTHER}")
    v1.process(41, place(v1))
    v1.group(f"/../{ID}")  # what a careless path would lead to
    assert v1.meter().measure({"j1": ref()}) == {}
    v1.process(41, f"/../{ID}")  # as a namespace of its own has it
    v1.mounts.clear()
    for name in ("cpuacct", "memory"):
        v1.mount("cgroup", name, name)
    assert v1.meter().measure({"j1": ref()}) == {}


@pytest.mark.parametrize("pids", [(0,), ()])
def test_the_host_s_tree_is_found_by_name_where_processes_are_not_visible(host: Host, pids: tuple[int, ...]) -> None:
    host.group(place(host), pids=pids)  # no /proc/41: the server's processes have a namespace of their own
    meter = host.meter()
    assert meter.measure({"j1": ref()})["j1"].memory_usage == 50 * MIB
    host.remove(place(host))
    host.now += 1
    assert meter.measure({"j1": ref()}) == {}


def test_a_tree_that_is_mounted_later_is_found(v1: Host) -> None:
    v1.tell("proc/self/mountinfo", "22 27 0:21 / /proc rw - proc proc rw")
    v1.process(41, place(v1))
    v1.group(place(v1))
    meter = v1.meter()
    assert meter.measure({"j1": ref()}) == {}
    v1.tell("proc/self/mountinfo", "\n".join(v1.mounts))
    v1.now += 61
    assert meter.measure({"j1": ref()}).keys() == {"j1"}


def test_broken_files_leave_the_container_out(host: Host) -> None:
    host.process(41, place(host))
    host.group(place(host))
    for path in (host.root / "sys").rglob("memory.stat"):
        path.write_text("total_inactive_file x\ninactive_file x\n")
    assert host.meter().measure({"j1": ref()}) == {}


def test_no_proc_at_all(tmp_path: Path) -> None:
    assert ContainerMeter(proc=tmp_path).measure({"j1": ref()}) == {}


def test_what_nobody_asks_for_any_more_is_forgotten(host: Host) -> None:
    host.process(41, place(host))
    host.group(place(host), peak=99)
    meter = host.meter()
    meter.measure({"j1": ref()})
    host.remove(place(host))
    host.now += KEEP_S + 1
    meter.measure({"j2": ref(OTHER, 5)})
    assert meter.peak(ref()) is None


@pytest.mark.parametrize("bad", ["", "abc", "../../" + ID, ID.upper()])
def test_what_is_no_id_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="no container's id"):
        ContainerRef(bad, 1, "x", 0)


class TestTheEngine:
    """Where the control groups are not to be seen."""

    def test_one_shots_give_the_same_picture(self, v1: Host) -> None:
        answers = [shot(cpu_s=5.0), shot(cpu_s=8.0, at=2, max_usage=99 * MIB)]
        meter = v1.meter(lambda _: answers.pop(0))
        first = meter.measure({"j1": ref()})["j1"]
        assert (first.cpu_percent, first.memory_usage, first.memory_total) == (0.0, 50 * MIB, 100 * MIB)
        assert (first.id, first.name, first.pids) == (ID, "k12ai-j1", ())
        assert meter.measure({"j1": ref()})["j1"] == first
        v1.now += 3.0
        assert meter.measure({"j1": ref()})["j1"].cpu_percent == pytest.approx(150.0), "by the engine's own clock"
        assert (meter.peak(ref()), meter.oom_kills(ref())) == (99 * MIB, None)
        meter.close()

    def test_it_is_not_asked_where_the_kernel_tells(self, host: Host) -> None:
        host.process(41, place(host))
        host.group(place(host))
        asked: list[str] = []
        meter = host.meter(asked.append)  # type: ignore[arg-type]
        assert meter.measure({"j1": ref(), "j2": ref(OTHER, 5)}).keys() == {"j1"}
        assert asked == []

    def test_containers_are_asked_for_at_once(self, v1: Host) -> None:
        barrier = threading.Barrier(8)

        def engine(_: str) -> Mapping[str, Any]:
            barrier.wait(10)
            return shot()

        refs = {str(n): ref(f"{n:064x}", 0) for n in range(8)}
        assert v1.meter(engine, engine_timeout_s=10.0).measure(refs).keys() == refs.keys()

    def test_one_that_hangs_is_left_out_and_not_asked_again(self, v1: Host) -> None:
        gate, asked = threading.Event(), []

        def engine(container_id: str) -> Mapping[str, Any]:
            asked.append(container_id)
            if container_id == OTHER:
                gate.wait(10)
            return shot()

        meter = v1.meter(engine, engine_timeout_s=0.2)
        refs = {"j1": ref(), "j2": ref(OTHER)}
        assert meter.measure(refs).keys() == {"j1"}
        v1.now += 1
        assert meter.measure(refs).keys() == {"j1"}
        assert asked.count(OTHER) == 1
        gate.set()

    def test_who_measures_again_and_again_does_not_wait_for_it(self, v1: Host) -> None:
        gates = [threading.Event(), threading.Event()]
        answers = iter([shot(cpu_s=5.0), shot(cpu_s=6.0, at=2)])
        taken = iter(gates)

        def engine(_: str) -> Mapping[str, Any]:
            next(taken).wait(10)
            return next(answers)

        shots = OneShots(engine, 10.0, lambda: v1.now)
        gates[0].set()
        assert shots.ask([ID], [ID]).keys() == {ID}
        assert shots.ask([ID], []) == {}, "not there yet"
        gates[1].set()
        answer = shots.ask([ID], [ID])[ID]  # the same question, now waited for
        assert answer.shot is not None
        assert answer.shot.usage.cpu_s == 6.0
        shots.close()

    def test_what_was_known_is_given_while_the_engine_takes_its_time(self, v1: Host) -> None:
        gate = threading.Event()
        answers = iter([shot(), shot()])

        def engine(_: str) -> Mapping[str, Any]:
            told = next(answers)
            if v1.now > 1000:
                gate.wait(10)
            return told

        meter = v1.meter(engine, engine_timeout_s=0.2)
        first = meter.measure({"j1": ref()})
        v1.now += MAX_AGE_S - 0.5
        assert meter.measure({"j1": ref()}) == first
        v1.now += 1.0
        assert meter.measure({"j1": ref()}) == {}, "too old to be about now"
        gate.set()

    def test_an_answer_that_lay_too_long_is_not_given(self, v1: Host) -> None:
        answers = iter([shot(cpu_s=1.0), shot(cpu_s=2.0, at=1), shot(cpu_s=8.0, at=9)])
        meter = v1.meter(lambda _: next(answers), engine_timeout_s=10.0)
        meter.measure({"j1": ref()})
        for _ in range(2):
            v1.now += MAX_AGE_S
            last = meter.measure({"j1": ref()})["j1"].cpu_percent
        assert last == pytest.approx(75.0)

    def test_the_same_answer_twice_says_the_same(self, v1: Host) -> None:
        answers = iter([shot(cpu_s=5.0), shot(cpu_s=6.0, at=1), shot(cpu_s=6.0, at=1)])
        meter = v1.meter(lambda _: next(answers), engine_timeout_s=10.0)
        for expected in (0.0, 100.0, 100.0):
            assert meter.measure({"j1": ref()})["j1"].cpu_percent == pytest.approx(expected)
            v1.now += MAX_AGE_S

    def test_one_that_fails_does_not_hide_the_others(self, v1: Host, caplog: pytest.LogCaptureFixture) -> None:
        def engine(container_id: str) -> Mapping[str, Any] | None:
            if container_id == OTHER:
                raise ConnectionRefusedError("no engine")
            return shot()

        meter = v1.meter(engine)
        assert meter.measure({"j1": ref(), "j2": ref(OTHER)}).keys() == {"j1"}
        assert "no engine" in caplog.text

    def test_a_meter_that_was_closed_asks_nobody(self) -> None:
        shots = OneShots(lambda _: pytest.fail("asked"), 1.0, lambda: 5.0)
        shots.close()
        assert shots.ask([ID], [ID]) == {ID: Answer(5.0, None)}

    def test_a_container_that_does_not_run_has_an_empty_answer(self) -> None:
        empty = {"read": "0001-01-01T00:00:00Z", "cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}
        assert read_shot(empty) is None
        assert read_shot(empty | {"memory_stats": None}) is None

    @pytest.mark.parametrize("bad", [{}, {"message": "x"}, shot() | {"read": "x"}, shot() | {"cpu_stats": None}])
    def test_what_is_no_answer_is_an_error(self, bad: dict[str, Any]) -> None:
        with pytest.raises((KeyError, TypeError, ValueError)):
            read_shot(bad)

    def test_the_first_version_s_page_cache_counts_with_all_that_is_below(self) -> None:
        told = shot(stats={"inactive_file": 1, "total_inactive_file": 20 * MIB})
        found = read_shot(told)
        assert found is not None
        assert (found.usage.memory, found.usage.charged) == (40 * MIB, 60 * MIB)
