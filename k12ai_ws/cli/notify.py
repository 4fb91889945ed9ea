"""Tells systemd how the service does (sd_notify): a datagram to the socket that NOTIFY_SOCKET names."""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Says `state` (`READY=1`, `STOPPING=1`); nothing where systemd did not start this process, or does not listen."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
        speaker.setblocking(False)
        speaker.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
