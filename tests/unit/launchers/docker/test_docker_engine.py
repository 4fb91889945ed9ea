"""The engine's client with engines that do not answer, and with one on another machine."""

import contextlib
import json
import socket
import threading
import time

import pytest

from k12ai_ws.launchers.docker import engine as engine_module
from k12ai_ws.launchers.docker.engine import Engine, EngineGone

PATIENCE_S = 90.0


class Listening:
    """Takes connections on a TCP port; answers the version and a stream's head, or nothing at all."""

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"tcp://127.0.0.1:{self._socket.getsockname()[1]}"
        self.asked: list[str] = []
        self.came = threading.Semaphore(0)
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            self._connections.append(connection)
            self.asked.append(connection.recv(65536).decode().partition(" HTTP")[0])
            if self._answers:
                body = json.dumps({"ApiVersion": "1.41"}) if self.asked[-1].endswith("/version") else ""
                connection.sendall(f"HTTP/1.0 200 OK\r\n\r\n{body}".encode())
                connection.shutdown(socket.SHUT_WR)
            self.came.release()

    def hang_up(self) -> None:
        for connection in self._connections:
            connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE_S)
        for connection in (self._socket, *self._connections):
            connection.close()


@pytest.fixture
def silent():
    with contextlib.closing(Listening(answers=False)) as listening:
        yield listening


def test_one_asks_an_engine_that_is_silent_and_the_others_fail_soon(silent, monkeypatch):
    """Each would hold its thread for a minute, one after the other."""
    monkeypatch.setattr(engine_module, "_TURN_S", 0.05)
    engine = Engine(silent.host, environ={})
    failed = threading.Event()

    def asks() -> None:
        try:
            engine.info()
        except EngineGone:
            failed.set()

    threading.Thread(target=asks, daemon=True).start()
    assert silent.came.acquire(timeout=PATIENCE_S)
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(EngineGone, match="does not answer"):
            engine.info()
    assert time.monotonic() - began < engine_module._FIRST_S / 2
    assert silent.asked == ["GET /version"]
    silent.hang_up()
    assert failed.wait(PATIENCE_S)


def test_the_first_question_is_not_waited_for_as_long_as_work_is(silent, monkeypatch):
    monkeypatch.setattr(engine_module, "_FIRST_S", 0.05)
    with pytest.raises(EngineGone, match="does not answer: timed out"):
        Engine(silent.host, environ={}, timeout_s=600).info()


def test_an_engine_that_comes_back_is_asked_again():
    with contextlib.closing(Listening(answers=False)) as silent:
        engine = Engine(silent.host, environ={}, timeout_s=0.05)
        for count in (1, 2):
            with pytest.raises(EngineGone):
                engine.info()
            assert len(silent.asked) == count


def test_a_machine_that_is_gone_is_noticed_on_a_silent_stream(monkeypatch):
    made: list[socket.socket] = []
    create = socket.create_connection

    def creates(*args, **kwargs):
        made.append(create(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(socket, "create_connection", creates)
    with contextlib.closing(Listening(answers=True)) as listening:
        engine = Engine(listening.host, environ={})
        with contextlib.closing(engine.logs("c", follow=True)) as stream:
            connection = made[-1]
            assert listening.asked[-1].startswith("GET /v1.41/containers/c/logs")
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            idle, between, probes = (
                connection.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
            assert idle + between * probes <= 120
            assert stream.read(PATIENCE_S) == b""
        engine.close()
