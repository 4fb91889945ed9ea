"""A browser's EventSource: it comes back by itself, whatever becomes of the server, and has every event once."""

import json
import signal

from browserrig.server import ALL

JOBS_OWN, OF_ANN = "/k12ai/framework/jobs/{}/events", "/k12ai/events?user=ann"

HEARD = "(text) => Promise.all([own, anns].map(one => one.until(all => all.some(m => m.data?.includes(text)))))"
"""Both streams of the page have told a message with this text."""


def messages(heard):
    return [one for one in heard if one["kind"] == "message"]


def check(heard, stored):
    """What was heard is what is stored, byte for byte, in order, each under its own id; acknowledgements aside."""
    told = [(json.loads(one["data"]), one) for one in messages(heard)]
    own = [message for message, _ in told if message["tag"] == "channel"]
    assert {message["op"] for message in own} <= {"subscribe", "bookmark"}
    assert all(message["info"].get("recovered", True) for message in own)
    events = [(message, one) for message, one in told if message["tag"] != "channel"]
    assert [one["data"] for _, one in events] == stored
    epoch = own[0]["info"]["epoch"]
    assert [one["id"] for _, one in events] == [f"{epoch}:{message['seq']}" for message, _ in events]


async def test_it_comes_back_after_an_end_in_good_order_and_after_a_kill(server, profile, told):
    await server.start(sse={"retry_s": 0.2})
    page = await profile.front_end(server.origin)
    # before there is anything to hear, so that "now" is the beginning
    await page.run("(url) => { window.anns = listen(url); return anns.count('message', 1); }", f"{OF_ANN}&type={ALL}")
    job = await server.train(told.script)
    path = JOBS_OWN.format(job)
    await page.run("(url) => { window.own = listen(url); return own.count('message', 1); }", f"{path}?type={ALL}")

    told.tell("epoch=1 loss=0.5", "第一 – très bien 😀", "data: no field of the stream", "id: 7")
    await page.run(HEARD, "id: 7")
    await server.end(signal.SIGTERM)
    told.tell("epoch=2 loss=0.4", "between two lives")
    await server.start()
    await page.run(HEARD, "between two lives")

    lost = await page.run("() => Math.max(...[own, anns].map(one => one.all.filter(m => m.kind === 'lost').length))")
    await server.end(signal.SIGKILL)
    told.tell("epoch=3 loss=0.3", "while nobody served")
    await page.run("(many) => Promise.all([own, anns].map(one => one.count('lost', many)))", lost + 2)  # refused once
    await server.start()
    told.tell("epoch=4 loss=0.2")
    await page.run(HEARD, "while nobody served")
    await page.run(HEARD, '"loss":0.2')

    bobs = await server.train("print('not for ann')", "bob", "q")
    told.tell("epoch=5 loss=0.1")
    told.end()
    heard = await page.run("() => own.count('over', 1)")  # the job's end is told, and a 204 ends the coming back
    check(heard, stored := await server.events(path))
    assert json.loads(stored[-1])["status"]["value"] == "finished"
    assert "while nobody served" in "".join(stored)
    assert await page.run("() => own.source.readyState === EventSource.CLOSED")

    last = await server.train("print('the last word')", uuid="r")
    await page.run(
        "(job) => anns.until(all => all.some(m => m.data?.includes(job) && m.data.includes('\"finished\"')))", last
    )
    assert await server.events(JOBS_OWN.format(bobs)), "there was something to leave out"
    stored = await server.events(OF_ANN)
    check(await page.run("(seq) => anns.reached(seq)", json.loads(stored[-1])["seq"]), stored)
    assert {json.loads(text)["user"] for text in stored} == {"ann"}
