"""The end of a server: what is under way is answered, what is committed arrives, and jobs go on."""

import asyncio
import json
import signal
import sqlite3
import threading

import pytest

from k12ai_ws.drivers.registry import Registry, Service, examine

from .conftest import Closed
from .test_restart import ALL, printed, sound

TRAIN = "/k12ai/framework/train"
TICK = "import time\nfor i in range({n}):\n print(f'epoch={{i}} loss={{i / 1000}}', flush=True)\n time.sleep({pause})"


async def head_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """An HTTP answer from a bare connection."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
    return int(first.split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


async def begin(client, order: dict) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A request whose last byte is still to come; the server has read its head."""
    reader, writer = await client.socket()
    body = json.dumps(order).encode()
    head = f"POST {TRAIN} HTTP/1.1\r\nHost: {client.host}:{client.port}\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"Expect: 100-continue\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).startswith(b"HTTP/1.1 100 ")
    writer.write(body[:-1])
    return reader, writer, body[-1:]


async def until_refused(client) -> None:
    """Polls until the server accepts no connection."""
    for _ in range(1500):
        try:
            _, writer = await client.socket()
        except OSError:
            return
        writer.close()
        await asyncio.sleep(0.02)
    pytest.fail("it still accepts connections")


async def ended(house) -> int:
    code = await asyncio.wait_for(house.process.wait(), 30)
    await house.process.communicate()
    await house.client.close()
    return code


async def test_a_request_under_way_is_answered_and_ready_says_no(house):
    client = await house.start(shutdown={"requests_s": 30})
    probing, asking = await client.socket()
    reader, writer, last = await begin(client, client.order("train.start", script="print('hello')"))
    house.process.send_signal(signal.SIGTERM)
    await until_refused(client)
    asking.write(f"GET /ready HTTP/1.1\r\nHost: {client.host}:{client.port}\r\n\r\n".encode())
    status, headers, body = await head_of(probing)
    assert (status, headers["connection"]) == (503, "close")
    assert "shutdown: the server is shutting down" in json.loads(body)["error"]["message"]
    writer.write(last)
    status, headers, body = await head_of(reader)
    assert (status, headers["connection"]) == (202, "close")
    assert await ended(house) == 0
    client = await house.start()
    assert (await client.until(json.loads(body)["job_id"]))["status"]["value"] == "finished"
    asking.close()
    writer.close()


async def test_a_request_that_does_not_come_is_cut_off(house):
    client = await house.start(shutdown={"requests_s": 0.2})
    reader, writer, _ = await begin(client, client.order("train.start"))
    assert await house.end() == 0
    assert await reader.read() == b""
    assert "1 requests have no answer after 0.2 s" in house.log()
    writer.close()


async def test_a_subscriber_gets_all_that_is_committed_then_1001_and_the_job_goes_on(house):
    client = await house.start(shutdown={"flush_s": 20})
    job_id = await client.start(TICK.format(n=300, pause=0.005))
    channels = [await client.channel() for _ in range(3)]
    for channel in channels:
        await channel.subscribe("s", "start", type=ALL.split(","))
    await client.until_printed(job_id, 50)
    house.process.send_signal(signal.SIGTERM)
    seen = []
    for channel in channels:
        got, code = await channel.everything()
        assert code == 1001
        seen.append([message["seq"] for message in got if "seq" in message])
    assert await ended(house) == 0
    with sqlite3.connect(f"file:{house.data_dir}/k12ai.sqlite3?mode=ro", uri=True) as store:
        (head,) = store.execute("SELECT max(seq) FROM events").fetchone()
    store.close()
    assert seen == [list(range(1, head + 1))] * 3
    client = await house.start()
    assert (await client.until(job_id))["status"]["value"] == "finished"
    events = await client.events(job_id)
    sound(events)
    assert printed(events) == [f"epoch={i} loss={i / 1000}" for i in range(300)]


async def test_a_load_balancer_has_time_to_notice(house):
    client = await house.start(shutdown={"notice_s": 2.0})
    house.process.send_signal(signal.SIGTERM)
    while (await client.get("/ready")).status == 200:  # each on a connection of its own, or a kept one
        pass
    reader, writer = await client.socket()  # still accepted
    writer.write(f"GET /ready HTTP/1.1\r\nHost: {client.host}:{client.port}\r\n\r\n".encode())
    assert (await head_of(reader))[0] == 503
    writer.close()
    assert await ended(house) == 0


async def test_a_request_over_the_channel_is_answered_too_and_nothing_is_launched_after_it(serve, toy):
    asked, go_on = threading.Event(), threading.Event()

    class Slow(type(toy.services["toy"].driver)):
        def check(self, job):
            asked.set()
            assert go_on.wait(30)

    driver = Slow()
    client = await serve(registry=Registry({"toy": Service(driver, "toy", "toy", "0.1", examine(driver))}))
    channel = await client.channel()
    channel.send(client.order("train.start", script="print('hello')") | {"tag": "framework", "id": "7"})
    await asyncio.to_thread(asked.wait, 30)
    closing = asyncio.create_task(client.server.close())
    client.server.closed_by_test = True
    await until_refused(client)
    go_on.set()
    answer = await channel.next()
    assert answer["id"] == "7"
    assert answer["status"]["value"] in ("queued", "starting")
    with pytest.raises(Closed) as end:
        await channel.next()
    assert end.value.code == 1001
    await closing
    assert not [t for t in asyncio.all_tasks() if t is not asyncio.current_task()], "nothing goes on"
    again = await serve(registry=Registry({"toy": Service(driver, "toy", "toy", "0.1", examine(driver))}))
    assert (await again.until(answer["job_id"]))["status"]["value"] == "finished"
