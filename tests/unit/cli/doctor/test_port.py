"""The address to listen on."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from k12ai_ws.cli.doctor import port as ports
from k12ai_ws.wire.bodies import Info
from k12ai_ws.wire.envelope import encode, envelope


@contextmanager
def serving(body: bytes) -> Iterator[int]:
    """An HTTP server that answers everything with `body`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_free_port() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert ports.check_port("127.0.0.1", port).found == f"127.0.0.1:{port} is free"
    assert ports.check_port("localhost", port).status == "ok"
    assert ports.check_port("", 0).found == "any free port"


@pytest.mark.parametrize("body", [b"hello", b"[]", b'{"status": "ok"}'])
def test_a_port_taken_by_another_program(body: bytes) -> None:
    with serving(body) as port:
        finding = ports.check_port("127.0.0.1", port)
    assert finding.status == "fail"
    assert "--port" in str(finding.advice)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", ""])
def test_a_port_taken_by_a_server_of_ours(host: str) -> None:
    body = encode(envelope(Info({"status": "ok"}), tag="platform", op="health", at_ms=0))
    with serving(body) as port:
        finding = ports.check_port(host, port)
    assert finding.status == "ok"
    assert "a server of k12ai" in finding.found


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("no such host", 80), ("127.0.0.1", 70000)])
def test_an_address_that_is_not_here(host: str, port: int) -> None:
    assert ports.check_port(host, port).status == "fail"
