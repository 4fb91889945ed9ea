"""The server's own log: what happened, to which request, job and user. What jobs print is read in `logs/`."""

from .about import About, about, current, note
from .handler import ServerLog, install
from .spelling import console_line, json_line

__all__ = ["About", "ServerLog", "about", "console_line", "current", "install", "json_line", "note"]
