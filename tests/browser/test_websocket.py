"""A page's WebSocket, which brings its token as a sub-protocol: a browser lets it set no header."""

import json

from browserrig.server import ALL

SUBSCRIBE = """(filter) => {
  own.socket.send(JSON.stringify({tag: "channel", op: "subscribe", id: "s", filter, after: "start"}));
  return own.count("message", 1).then(all => JSON.parse(all.find(m => m.kind === "message").data));
}"""
REFUSED = "(protocols) => dial(CHANNEL, protocols).count('close', 1)"


async def test_a_token_opens_it_and_its_events_are_those_of_rest(server, profile, told):
    token_id, token = server.token("ann")
    await server.start()
    page = await profile.front_end(server.origin)
    opened = await page.run("(token) => (window.own = dial(CHANNEL, withToken(token))).count('open', 1)", token)
    assert opened == [{"kind": "open", "protocol": "v1.k12ai", "extensions": ""}]
    assert (await page.run(SUBSCRIBE, {"type": ALL.split(",")}))["info"]["recovered"]

    job = await server.train(told.script, token=token)
    told.tell("epoch=1 loss=0.5", "第一 – très bien 😀", "x" * 70_000)  # a frame's length in each of its three forms
    told.end()
    await page.run("() => own.until(all => all.some(m => m.data?.includes('\"finished\"')))")
    stored = await server.events(f"/k12ai/framework/jobs/{job}/events", token)
    heard = await page.run("() => own.all.filter(m => m.kind === 'message').map(m => m.data)")
    assert heard[1:] == stored
    assert max(map(len, stored)) > 1 << 16
    assert json.loads(stored[-1])["status"]["value"] == "finished"

    server.revoke(token_id)
    closed = (await page.run("() => own.count('close', 1)"))[-1]
    assert closed == {"kind": "close", "code": 4401, "clean": True}
    assert [one["kind"] for one in await page.run(REFUSED, await page.run("withToken", token))] == ["close"]


async def test_nothing_else_opens_it(server, profile):
    _, token = server.token("ann")
    await server.start()
    page = await profile.front_end(server.origin)
    right = await page.run("withToken", token)
    for where, protocols in (
        ("", await page.run("withToken", token[:-4] + "AAAA")),
        ("", ["v1.k12ai", f"bearer.{token}"]),
        ("", ["v1.k12ai"]),
        ("", []),
        ("", right[1:]),
        (f"?token={token}", right),
    ):
        heard = await page.run(
            "(where, protocols) => dial(CHANNEL + where, protocols).count('close', 1)", where, protocols
        )
        assert heard == [{"kind": "close", "code": 1006, "clean": False}], protocols
    opened = await page.run("(protocols) => dial(CHANNEL, protocols).count('open', 1)", right)
    assert opened[0]["protocol"] == "v1.k12ai", "it was not for want of a server"
