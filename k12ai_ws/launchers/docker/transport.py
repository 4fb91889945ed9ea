"""Connections to an engine: our own, and the `docker` package's to a local socket, where one that fails leaves a socket
open if nobody sees to it.
"""

import socket
import ssl
from typing import Any, Final

from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 6))
"""Seconds of silence, seconds between probes, probes: a machine that is gone is known to be within two minutes."""


def connect(address: str, tls: Any, patience_s: float) -> socket.socket:
    """A connection to `unix://PATH` or `tcp://HOST:PORT`, whose calls wait `patience_s` seconds at most. `tls`: the
    `docker` package's `TLSConfig`, or None. Raises OSError.
    """
    place = address.partition("://")[2]
    if address.startswith("unix:"):
        return _connect_local("/" + place.lstrip("/"), patience_s)
    context = None
    if tls is not None:  # before there is a connection that a missing certificate would leave open
        context = ssl.create_default_context(cafile=tls.ca_cert)
        if tls.cert:
            context.load_cert_chain(*tls.cert)
    host, _, port = place.rpartition(":")
    connection = socket.create_connection((host.strip("[]"), int(port)), timeout=patience_s)
    # A stream may be silent for days: the kernel finds out where nobody is there any more.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
    return connection if context is None else context.wrap_socket(connection, server_hostname=host.strip("[]"))


def _connect_local(path: str, patience_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(patience_s)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


class _Connection(UnixHTTPConnection):  # type: ignore[misc]
    def connect(self) -> None:
        self.sock = _connect_local(self.unix_socket, self.timeout)


class _Pool(UnixHTTPConnectionPool):  # type: ignore[misc]
    def _new_conn(self) -> _Connection:
        return _Connection(self.base_url, self.socket_path, self.timeout)


class LocalAdapter(UnixHTTPAdapter):  # type: ignore[misc]
    """To be mounted for `http+docker://`."""

    def get_connection(self, url: str, proxies: object = None) -> _Pool:
        """The pool of one address of the engine."""
        with self.pools.lock:
            pool: _Pool | None = self.pools.get(url)
            if pool is None:
                pool = self.pools[url] = _Pool(url, self.socket_path, self.timeout, maxsize=self.max_pool_size)
            return pool
