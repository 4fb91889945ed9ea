"""Threads for calls that may hang."""

import subprocess
import sys
import threading
from concurrent.futures import CancelledError, wait

import pytest

from k12ai_ws.launchers.docker import pools
from k12ai_ws.launchers.docker.pools import DaemonPool

PATIENCE_S = 90.0


@pytest.fixture
def gate():
    """What calls wait for; opened at the end."""
    gate = threading.Event()
    yield gate
    gate.set()


def test_calls_are_answered_and_their_errors_told():
    pool = DaemonPool(2, "test")
    assert [pool.submit(pow, 2, n).result(PATIENCE_S) for n in range(20)] == [2**n for n in range(20)]
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 // 0).result(PATIENCE_S)
    with pytest.raises(SystemExit):
        pool.submit(sys.exit).result(PATIENCE_S)
    assert pool.submit(pow, 2, 2).result(PATIENCE_S) == 4
    pool.shutdown()


def test_no_more_run_at_once_than_the_pool_is_large(gate):
    pool, began = DaemonPool(3, "test-bound"), threading.Semaphore(0)

    def call():
        began.release()
        assert gate.wait(PATIENCE_S)
        return threading.current_thread()

    calls = [pool.submit(call) for _ in range(9)]
    for _ in range(3):
        assert began.acquire(timeout=PATIENCE_S)
    assert sum(each.running() for each in calls) == 3
    assert not began.acquire(timeout=0.05)
    gate.set()
    threads = {each.result(PATIENCE_S) for each in calls}
    assert len(threads) <= 3
    assert all(thread.daemon for thread in threads)
    pool.shutdown()


def test_a_call_that_hangs_holds_up_no_other_while_there_are_threads(gate):
    pool = DaemonPool(2, "test")
    hung = pool.submit(gate.wait, PATIENCE_S)
    for n in range(50):
        assert pool.submit(pow, n, 1).result(PATIENCE_S) == n
    assert not hung.done()
    pool.shutdown()


def test_two_calls_at_once_do_not_wait_for_one_idle_thread(gate):
    for _ in range(20):
        pool, began = DaemonPool(2, "test"), threading.Semaphore(0)
        pool.submit(pow, 2, 2).result(PATIENCE_S)  # its thread is idle now
        for _ in range(2):
            pool.submit(lambda began=began: began.release() or gate.wait(PATIENCE_S))
        for _ in range(2):
            assert began.acquire(timeout=PATIENCE_S / 4)
        pool.shutdown()


def test_what_waits_can_be_cancelled_and_is_cancelled_at_the_end(gate):
    pool, began = DaemonPool(1, "test"), threading.Event()
    running = pool.submit(lambda: began.set() or gate.wait(PATIENCE_S))
    assert began.wait(PATIENCE_S)
    first, second = pool.submit(pow, 2, 2), pool.submit(pow, 2, 3)
    assert first.cancel()
    pool.shutdown(cancel_futures=True)
    with pytest.raises(CancelledError):
        second.result(0)
    with pytest.raises(RuntimeError, match="takes no new calls"):
        pool.submit(pow, 2, 2)
    gate.set()
    assert running.result(PATIENCE_S)


def test_what_waits_is_still_done_after_a_plain_shutdown(gate):
    pool = DaemonPool(1, "test")
    running, waiting = pool.submit(gate.wait, PATIENCE_S), pool.submit(pow, 2, 3)
    pool.shutdown()
    gate.set()
    assert running.result(PATIENCE_S)
    assert waiting.result(PATIENCE_S) == 8


@pytest.mark.parametrize("how", ["idle", "shut"])
def test_threads_end_that_have_nothing_to_do(how, monkeypatch):
    monkeypatch.setattr(pools, "_IDLE_S", 0.01 if how == "idle" else 60.0)
    pool = DaemonPool(4, "test")
    threads = {pool.submit(threading.current_thread).result(PATIENCE_S) for _ in range(4)}
    if how == "shut":
        pool.shutdown()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    if how == "idle":
        assert pool.submit(pow, 2, 2).result(PATIENCE_S) == 4
        pool.shutdown()


def test_no_call_is_forgotten_however_threads_come_and_go(monkeypatch):
    monkeypatch.setattr(pools, "_IDLE_S", 0.0001)  # they end all the time
    pool = DaemonPool(3, "test")
    calls = []

    def submits():
        for n in range(200):
            calls.append(pool.submit(pow, n, 1))
            if n % 10 == 0:
                calls[-1].result(PATIENCE_S)

    threads = [threading.Thread(target=submits) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(calls) == 800
    assert not wait(calls, PATIENCE_S).not_done
    pool.shutdown()


def test_the_process_ends_with_calls_that_hang():
    program = (
        "import threading; from k12ai_ws.launchers.docker.pools import DaemonPool\n"
        "pool = DaemonPool(2, 'x'); began = threading.Event()\n"
        "def hang(): began.set(); threading.Event().wait()\n"
        "pool.submit(hang); pool.submit(hang); pool.submit(hang); assert began.wait(10); print('bye')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=PATIENCE_S, check=True)
    assert done.stdout == b"bye\n"
    assert done.stderr == b""
