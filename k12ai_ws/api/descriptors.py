"""How many files and sockets the operating system lets the server have: less than the settings want, and it says so."""

import logging
import resource

RESERVE = 512
"""Kept for what is no client's connection: the store, journals, pipes of jobs, the engine."""

log = logging.getLogger(__name__)


def room_for(connections: int) -> int:
    """How many of so many connections there is room for; raises the soft limit as far as it is allowed to.

    Without this an accept that fails for want of a descriptor would be tried again for ever, and nothing else be done.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + RESERVE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    room = max(1, soft - min(RESERVE, soft // 2))
    log.warning(
        "limits.max_connections is %d, but this process may have %d open files (ulimit -n), so there can be %d "
        "connections: raise that limit, or lower the setting",
        connections, soft, room,
    )  # fmt: skip
    return room
