"""Threads for code that is not ours: a driver that hangs, exits or raises oddly must harm its own jobs alone."""

import asyncio
import errno
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
A = TypeVar("A")
T = TypeVar("T")


class Hung(Exception):
    """A call did not come back in time; its thread goes on, and nobody waits for it any more."""


class DaemonThreads(Executor):
    """A daemon thread for every call. Unlike a pool's, a hung one keeps neither the next call nor the server's end
    waiting. Bounds nothing: whoever submits does.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """See `concurrent.futures.Executor`."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as e:  # noqa: BLE001 - it belongs to whoever waits for the future
                future.set_exception(e)
            else:
                future.set_result(result)

        threading.Thread(target=run, name=self._name, daemon=True).start()
        return future


class Turns:
    """Calls in threads: `at_once` of them at one time, each for `timeout_s` seconds at most.

    A call that hangs cannot be ended, only left: its turn goes to the next one, so that hung calls hold up nobody, and
    its thread is counted under its owner until it comes back after all. Whoever calls bounds that number.
    """

    def __init__(self, threads: DaemonThreads, *, at_once: int, timeout_s: float) -> None:
        self._threads = threads
        self._turns = asyncio.Semaphore(at_once)
        self._timeout_s = timeout_s
        self._hung: Counter[str] = Counter()

    def hung(self, owner: str) -> int:
        """How many threads hang in calls of `owner` now."""
        return self._hung[owner]

    async def call(self, owner: str, work: Callable[[A], T], argument: A) -> T:
        """`work(argument)`. Raises what it raises, Hung, or OSError (EAGAIN) where no thread could be started for it,
        which passes by itself. The time spent waiting for a turn does not count.
        """
        await self._turns.acquire()
        left = False

        def back(_: object) -> None:  # not when we stop waiting, but when the thread comes back
            if left:
                self._hung[owner] -= 1
            else:
                self._turns.release()
            if not call.cancelled():
                call.exception()  # seen: where nobody waits any longer, it has nobody else to go to

        try:
            call = asyncio.get_running_loop().run_in_executor(self._threads, contained(work), argument)
        except BaseException as e:  # no call, so nothing that would give the turn back
            self._turns.release()
            if isinstance(e, RuntimeError):
                raise OSError(errno.EAGAIN, f"no thread could be started for it: {e}") from e
            raise
        call.add_done_callback(back)
        await asyncio.wait({call}, timeout=self._timeout_s)
        if call.done():
            return call.result()
        left = True
        self._hung[owner] += 1
        self._turns.release()
        raise Hung(f"it did not come back within {self._timeout_s:g} s")


def contained(work: Callable[..., T]) -> Callable[..., T]:
    """`work`, whose stray exceptions become RuntimeErrors.

    Out of a thread and into the event loop, SystemExit would end the server, and StopIteration (a driver's bare
    `next(...)`) can be put into no future at all, so that whoever waits would wait for ever.
    """

    def run(*args: Any) -> T:
        try:
            return work(*args)
        except StopIteration as e:
            raise RuntimeError("StopIteration was raised (a `next(...)` that found nothing?)") from e
        except Exception:
            raise
        except BaseException as e:
            raise RuntimeError(f"{type(e).__name__} was raised: {e}") from e

    return run
