"""Percentages from two readings of the clocks, and how far apart those may be."""

from collections import namedtuple
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import pytest

from k12ai_ws.monitor.cpus import MAX_WINDOW_S, MIN_WINDOW_S, CpuClock, CpuReader, CpuStats, psutil_clocks


@dataclass(frozen=True)
class Memory:
    total: int = 1000
    available: int = 250


class Host:
    """Processors that are busy as told, on a clock that only `sleep` and the test move."""

    def __init__(self, *busy: float) -> None:
        self.busy = list(busy)
        self.now = 50.0
        self.slept: list[float] = []
        self.done = [(0.0, 0.0) for _ in busy]

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.done = [
            (used + share * seconds, total + seconds) for share, (used, total) in zip(self.busy, self.done, strict=True)
        ]

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_time(seconds)

    def clocks(self) -> Sequence[CpuClock]:
        return [CpuClock(busy, total) for busy, total in self.done]

    def reader(self, memory: Memory = Memory()) -> CpuReader:
        return CpuReader(clocks=self.clocks, memory=lambda: memory, clock=lambda: self.now, sleep=self.sleep)


def test_the_first_reading_takes_one_short_window() -> None:
    host = Host(0.5, 1.0)
    assert host.reader().read() == CpuStats(75.0, (50.0, 100.0), 1000, 750)
    assert host.slept == pytest.approx([MIN_WINDOW_S])


def test_later_readings_cover_the_time_since_the_last_and_do_not_wait() -> None:
    host = Host(0.0)
    reader = host.reader()
    reader.read()
    host.slept.clear()
    host.busy = [0.25]
    host.pass_time(1.0)
    assert reader.read().percent == 25.0
    assert host.slept == []


def test_after_a_long_pause_the_percentage_is_about_now() -> None:
    host = Host(1.0)
    reader = host.reader()
    reader.read()
    host.pass_time(MAX_WINDOW_S + 1)
    host.busy = [0.0]
    assert reader.read().percent == 0.0
    assert host.slept[1:] == pytest.approx([MIN_WINDOW_S])


def test_two_readings_in_a_row_still_have_a_window() -> None:
    host = Host(0.5)
    reader = host.reader()
    assert [reader.read().percent for _ in range(3)] == [50.0] * 3
    assert host.slept == pytest.approx([MIN_WINDOW_S] * 3)


def test_a_processor_that_was_switched_off_does_not_shift_the_others() -> None:
    host = Host(0.0, 1.0)
    reader = host.reader()
    reader.read()
    del host.busy[0], host.done[0]
    host.pass_time(1.0)
    assert reader.read().percents == (100.0,)


def test_clocks_that_step_back_or_stand_still_read_as_idle() -> None:
    clocks = iter([[CpuClock(10.0, 20.0), CpuClock(1.0, 1.0)], [CpuClock(9.0, 21.0), CpuClock(1.0, 1.0)]])
    now = iter(range(10))
    reader = CpuReader(clocks=lambda: next(clocks), memory=Memory, clock=lambda: next(now), sleep=lambda _: None)
    assert reader.read().percents == (0.0, 0.0)


def test_a_guest_s_time_counts_once_and_waiting_is_not_being_busy() -> None:
    linux = namedtuple("linux", "user nice system idle iowait irq softirq steal guest guest_nice")
    macos = namedtuple("macos", "user nice system idle")
    times = [linux(30, 5, 10, 40, 8, 1, 2, 4, 20, 3), macos(1, 2, 3, 4)]
    # Busy is 30 + 5 + 10 + 1 + 2 + 4: the guests' 20 and 3 are in `user` and `nice` already.
    assert psutil_clocks(lambda: times) == (CpuClock(52.0, 100.0), CpuClock(6.0, 10.0))


def test_fields_are_the_contract_s() -> None:
    assert CpuStats(47.4, (63.6, 31.1), 2000, 500).fields() == {
        "cpu_percent": 47.4,
        "cpu_percent_list": [63.6, 31.1],
        "cpu_memory_total": 2000,
        "cpu_memory_usage": 500,
        "cpu_memory_percent": 25.0,
    }


def test_this_machine() -> None:
    stats = CpuReader().read()
    assert len(stats.percents) == psutil.cpu_count()
    assert all(0 <= percent <= 100 for percent in (stats.percent, *stats.percents))
    assert stats.memory_total == psutil.virtual_memory().total
    assert 0 < stats.memory_usage < stats.memory_total
    assert all(0 < clock.busy < clock.total for clock in psutil_clocks())
