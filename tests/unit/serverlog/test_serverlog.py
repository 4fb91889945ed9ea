"""The server's log: a line says what it is about, cannot be forged, and holds up nobody who speaks."""

import asyncio
import json
import logging
import os
import threading
from collections.abc import Iterator

import pytest

from k12ai_ws.serverlog import ServerLog, about, current, note


class Log:
    """A logger of its own, its lines read from a pipe."""

    def __init__(self, **options: object) -> None:
        self.reading, self.writing = os.pipe()
        self.handler = ServerLog(self.writing, **({"as_json": True} | options))  # type: ignore[arg-type]
        self.logger = logging.Logger("k12ai_ws.test", logging.DEBUG)
        self.logger.addHandler(self.handler)

    def lines(self) -> list[str]:
        """All lines, once the log is closed; read meanwhile, so that the pipe is never what stops it."""
        taken: list[bytes] = []

        def take() -> None:
            while chunk := os.read(self.reading, 1 << 16):
                taken.append(chunk)

        reader = threading.Thread(target=take)
        reader.start()
        self.handler.close()
        self.shut()
        reader.join()
        return b"".join(taken).decode().splitlines()

    def shut(self) -> None:
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1


@pytest.fixture
def opened() -> Iterator[list[Log]]:
    logs: list[Log] = []
    yield logs
    for log in logs:
        os.close(log.reading)  # first: a thread that is stuck in its write gets an error, and ends
        log.handler.close()
        log.handler._thread.join(30)
        log.shut()


@pytest.fixture
def make(opened):
    def make(**options: object) -> Log:
        opened.append(Log(**options))
        return opened[-1]

    return make


def test_a_json_line_has_its_ids_fields_and_fault(make) -> None:
    log = make()
    with about(request_id="r1"):
        note(job_id="j1")
        log.logger.info("hello %s", "you", extra={"fields": {"seconds": 0.5}})
    try:
        raise ValueError("no data")
    except ValueError:
        log.logger.exception("it failed")
    first, second = map(json.loads, log.lines())
    assert {k: first[k] for k in ("level", "logger", "message", "request_id", "job_id", "seconds")} == {
        "level": "info", "logger": "k12ai_ws.test", "message": "hello you", "request_id": "r1", "job_id": "j1",
        "seconds": 0.5,
    }  # fmt: skip
    assert "user" not in first
    assert second["exception"].startswith("Traceback")
    assert second["exception"].endswith("ValueError: no data")
    assert "request_id" not in second


def test_a_console_line_is_one_line_whatever_a_client_sent(make) -> None:
    log = make(as_json=False)
    with about(request_id="r1", user="ann"):
        log.logger.warning("GET %s", "/a\nERROR all is lost\r\x1b[2J\x9b")
    (line,) = log.lines()
    assert line.endswith("WARNING k12ai_ws.test: GET /a\\nERROR all is lost\\r\\x1b[2J\\x9b [request=r1 user=ann]")


def test_tasks_do_not_mix(make) -> None:
    async def work(name: str, turn: asyncio.Event, other: asyncio.Event) -> str:
        note(request_id=name)
        other.set()
        await turn.wait()
        return current().request_id

    async def both() -> list[str]:
        one, two = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(asyncio.create_task(work("a", one, two)), asyncio.create_task(work("b", two, one)))

    assert asyncio.run(both()) == ["a", "b"]
    assert current().request_id == ""


def test_a_long_line_is_cut_and_says_so(make) -> None:
    log = make()
    log.logger.info("x" * 100_000)
    (line,) = log.lines()
    assert len(line) < 20_000
    assert json.loads(line)["message"].endswith("... (100000 characters)")


def test_secrets_are_taken_out_of_all_of_it(make) -> None:
    log = make(redact=lambda line: line.replace("s3cret", "***"))
    with about(user="s3cret"):
        try:
            raise ValueError("s3cret")
        except ValueError:
            log.logger.exception("token s3cret", extra={"fields": {"query": "s3cret"}})
    (line,) = log.lines()
    assert "s3cret" not in line
    assert line.count("***") >= 4


def test_what_nobody_takes_is_dropped_counted_and_said(make) -> None:
    log = make(max_waiting=10_000)
    said = 4000  # more than the pipe and the bound take together
    for n in range(said):
        log.logger.info("%06d %s", n, "x" * 100)  # returns although nobody reads
    assert log.handler.dropped > 0
    lines = [json.loads(line) for line in log.lines()]
    written = [line for line in lines if "dropped" not in line]
    assert len(written) + sum(line.get("dropped", 0) for line in lines) == said
    numbers = [int(line["message"][:6]) for line in written]
    assert numbers == sorted(numbers)


def test_a_reader_that_is_stuck_does_not_keep_the_end(make, monkeypatch) -> None:
    monkeypatch.setattr("k12ai_ws.serverlog.handler.CLOSE_S", 0.05)
    log = make()
    for _ in range(2000):
        log.logger.info("x" * 200)
    log.handler.close()  # returns
    log.logger.info("too late")
    assert log.handler.dropped == 1


def test_a_line_that_cannot_be_spelt_breaks_nothing(make, monkeypatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log = make()
    log.logger.info("%d", "no number")
    log.logger.info("good")
    assert [json.loads(line)["message"] for line in log.lines()] == ["good"]
