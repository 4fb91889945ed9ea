"""The address that the server would listen on."""

import contextlib
import errno
import http.client
import json
import socket

from .finding import Finding


def check_port(host: str, port: int) -> Finding:
    """Whether the server could listen there; a server of ours that does already is told apart."""
    where = f"{host or '*'}:{port}"
    if not 0 <= port <= 65535:
        return Finding(
            "port", "fail", f"{where} is no TCP port", "choose a --port of 1024 to 65535, or 0 for any free one"
        )
    try:
        places = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        return Finding("port", "fail", f"{where}: {error}", "give --host an address of this machine, as 127.0.0.1")
    refusal: OSError | None = None
    free = 0
    for family, kind, protocol, _, address in places:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
                free += 1
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return _taken(where, host, port, error)
            refusal = error  # a name may stand for an address family that this machine has not (localhost: ::1)
    if refusal is not None and not free:
        return _taken(where, host, port, refusal)
    return Finding("port", "ok", f"{where} is free" if port else "any free port")


def _taken(where: str, host: str, port: int, error: OSError) -> Finding:
    if error.errno == errno.EADDRINUSE:
        if _answers_as_ours(host, port):
            return Finding("port", "ok", f"{where}: a server of k12ai listens there and answers")
        return Finding("port", "fail", f"{where} is in use by another program", "stop it, or choose another --port")
    if error.errno == errno.EACCES:
        return Finding("port", "fail", f"{where}: not allowed", "choose a --port of 1024 or above")
    advice = "give --host an address of this machine, as 127.0.0.1"
    return Finding("port", "fail", f"{where}: {error.strerror or error}", advice)


def _answers_as_ours(host: str, port: int) -> bool:
    """Whether `/health` there gives an envelope of the contract."""
    local = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    with contextlib.closing(http.client.HTTPConnection(local, port, timeout=1.0)) as connection:
        try:
            connection.request("GET", "/health")
            answer = json.loads(connection.getresponse().read(1 << 16))
        except (OSError, http.client.HTTPException, ValueError):
            return False
    return isinstance(answer, dict) and {"version", "type", "tag", "op", "timestamp"} <= answer.keys()
