"""Threads for calls of an engine that may hang: so many at one time, and none that keeps the process from ending."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_IDLE_S: Final = 10.0


class DaemonPool(Executor):
    """At most `size` daemon threads, made when they are needed and ended when they are not. What comes while all of
    them are busy waits in a queue, in its order.

    `concurrent.futures.ThreadPoolExecutor` has its threads joined when the interpreter ends: one call that hangs
    would keep the process from ending.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._work: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._changed = threading.Condition()  # guards all of it
        self._threads = 0
        self._idle = 0
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """See `concurrent.futures.Executor`. Raises RuntimeError after `shutdown`."""
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError(f"the pool {self._name} is shut: it takes no new calls")
            if self._idle > len(self._work):  # those that were woken and have not come yet take what is there
                self._changed.notify()
            elif self._threads < self._size:
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
                self._threads += 1
            self._work.append((future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No new calls. What waits for a thread is still done, or with `cancel_futures` cancelled. Returns at once,
        whatever `wait` says: a call may hang.
        """
        with self._changed:
            self._closed = True
            dropped = list(self._work) if cancel_futures else []
            if cancel_futures:
                self._work.clear()
            self._changed.notify_all()
        for future, _ in dropped:
            future.cancel()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            future, call = work
            if future.set_running_or_notify_cancel():
                try:
                    result = call()
                except BaseException as e:  # noqa: BLE001 - it belongs to whoever waits for the future
                    future.set_exception(e)
                else:
                    future.set_result(result)
                    del result
            del work, future, call  # an idle thread keeps nothing alive

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        """The next call; None where there is none for a while: the thread ends."""
        with self._changed:
            while not self._work:
                self._idle += 1
                called = not self._closed and self._changed.wait(_IDLE_S)
                self._idle -= 1
                if not called and not self._work:
                    self._threads -= 1
                    return None
            return self._work.popleft()
