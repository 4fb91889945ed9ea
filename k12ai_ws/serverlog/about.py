"""What the work at hand is about: every line of the log that is written meanwhile says so by itself.

A context variable belongs to a task (and to those that it starts), so requests that are handled at one time do not mix.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class About(NamedTuple):
    """The ids that a line may carry; empty: none."""

    request_id: str = ""
    job_id: str = ""
    user: str = ""


NOTHING = About()
_ABOUT: ContextVar[About] = ContextVar("about", default=NOTHING)


def current() -> About:
    """What the work at hand is about."""
    return _ABOUT.get()


def note(**ids: str) -> None:
    """Adds ids to the lines of the current task from here on: what a request is about is known bit by bit."""
    _ABOUT.set(_ABOUT.get()._replace(**ids))


@contextmanager
def about(**ids: str) -> Iterator[None]:
    """Within it, and in the tasks that are started in it, lines carry exactly these ids, whatever was noted before."""
    token = _ABOUT.set(About(**ids))
    try:
        yield
    finally:
        _ABOUT.reset(token)
