"""The pluggy hook by which driver plugins are found: entry-point group `k12ai_ws`, one hook, nothing more."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .driver import Driver

GROUP = "k12ai_ws"
"""The entry-point group that a plugin's distribution declares."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)
"""Marks a plugin's implementation of a hook."""


@hookspec
def k12ai_drivers() -> Iterable["Driver"]:  # type: ignore[empty-body]
    """The drivers that this plugin provides, as objects. Called once, at the server's start."""
