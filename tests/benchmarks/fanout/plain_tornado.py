"""The plain Tornado way, `write_message` in a loop: `plain_tornado.py PORT CONNECTIONS EVENTS RATE`. Stores nothing."""

import asyncio
import sys
import time

import orjson
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

SUBSCRIBERS: set["Subscriber"] = set()


class Subscriber(WebSocketHandler):
    def open(self) -> None:
        SUBSCRIBERS.add(self)

    def on_message(self, message: object) -> None:
        pass

    def on_close(self) -> None:
        SUBSCRIBERS.discard(self)


def event(number: int) -> bytes:
    return orjson.dumps(
        {
            "version": "0.1.0", "type": "metrics", "tag": "framework", "op": "train.start", "user": "user-0",
            "service_uuid": "project-0", "timestamp": 1700000000000 + number,
            "datetime": "2023-11-14T22:13:20.000+00:00",
            "metrics": {"step": number, "loss": 0.3141592, "accuracy": 0.9312}, "service_name": "k12cv",
            "job_id": "job-0", "sent_ns": time.monotonic_ns(), "seq": number,
        }
    )  # fmt: skip


async def main() -> None:
    port, connections, events, rate = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    server = HTTPServer(Application([("/ws", Subscriber)]))
    server.add_sockets(bind_sockets(port, "127.0.0.1", backlog=4096))
    while len(SUBSCRIBERS) < connections:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.7)
    begun = time.monotonic()
    for number in range(events):
        if rate and (pause := begun + number / rate - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        payload = event(number)
        for subscriber in SUBSCRIBERS:
            subscriber.write_message(payload)
        await asyncio.sleep(0)
    await asyncio.Event().wait()


asyncio.run(main())
