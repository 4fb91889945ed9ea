"""Threads for code that is not ours: a driver that hangs, exits or raises oddly must harm its own jobs alone."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


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
