"""What runs use: figures from the processes, with a clock of the test's own."""

import os

import psutil

from k12ai_ws.launchers.process import proc
from k12ai_ws.launchers.process.usage import UsageMeter


def made(pid, ppid, *, ticks=0, waited=0, rss=0, state="S", start=5):
    return proc.Process(pid, ppid, 0, 0, state, ticks, waited, start, rss)


def machine(monkeypatch, *processes):
    monkeypatch.setattr(proc, "every", lambda: {process.pid: process for process in processes})


def test_processor_time_is_that_between_two_looks_and_never_falls(monkeypatch):
    now = [1000.0]
    meter = UsageMeter(lambda: now[0])
    runs = {"job": (10, 5)}
    machine(monkeypatch, made(10, 1, ticks=999), made(11, 10, ticks=100, rss=2), made(12, 11, ticks=50, rss=3))
    first = meter.measure(runs)["job"]
    assert first.pids == (11, 12)
    assert first.memory_usage == 5 * os.sysconf("SC_PAGE_SIZE")
    assert first.memory_total == psutil.virtual_memory().total
    now[0] += 2.0
    machine(monkeypatch, made(10, 1), made(11, 10, ticks=200, rss=2), made(12, 11, ticks=150, rss=3))
    assert meter.measure(runs)["job"].cpu_percent == 100.0
    now[0] += 1.0  # one has ended: what it used went to the one that waited for it
    machine(monkeypatch, made(10, 1), made(11, 10, ticks=200, waited=150, rss=2))
    assert meter.measure(runs)["job"].cpu_percent == 0.0
    now[0] += 0.05  # too soon to say more
    machine(monkeypatch, made(10, 1), made(11, 10, ticks=205, waited=150, rss=2))
    assert meter.measure(runs)["job"].cpu_percent == 0.0


def test_what_has_ended_is_left_out(monkeypatch):
    meter = UsageMeter()
    machine(monkeypatch, made(10, 1), made(11, 10, state="Z"), made(20, 1, start=6), made(21, 20))
    assert meter.measure({"zombie": (10, 5), "another's id": (20, 5), "gone": (30, 5), "over": None}) == {}
