"""A page that the person loads again, or comes back to: it goes on where it was, with nothing lost and nothing twice.

It keeps what it has heard and how far that goes in the tab's storage, both in one turn of its own.
"""

import json
import signal

import pytest
from browserrig.server import ALL

KEEPING = f"""
const job = new URLSearchParams(location.search).get("job");
const kept = JSON.parse(sessionStorage.getItem("at"));  // where the life of the page before got to
const after = kept ? kept.seq : "start", epoch = kept?.epoch;
let at = kept, last = "";

function keep(data) {{
  last = data;
  sessionStorage.setItem("event " + sessionStorage.length, data);
  move(JSON.parse(data).seq);
}}
function move(seq, of = at.epoch) {{
  at = {{seq, epoch: of}};
  sessionStorage.setItem("at", JSON.stringify(at));
}}
function all() {{
  const names = Object.keys(sessionStorage).filter(name => name.startsWith("event "));
  return names.sort((a, b) => a.slice(6) - b.slice(6)).map(name => sessionStorage.getItem(name));
}}
function begun(info) {{
  sessionStorage.setItem("recovered", String(info.recovered));
  if (!at) move(0, info.epoch);
}}

// An event moves it; a message of the channel's own has the tag "channel", or the id of what it answers.
function told(one) {{
  if (one.kind === "open" && heard.socket) {{
    const filter = {{job_id: job, type: "{ALL}".split(",")}};
    heard.socket.send(JSON.stringify({{tag: "channel", op: "subscribe", id: "s", filter, after, epoch}}));
  }} else if (one.kind === "message") {{
    const message = JSON.parse(one.data);
    if (message.tag !== "channel") keep(one.data);
    else if (message.op === "subscribe") begun(message.info);
  }}
}}
const ways = {{
  EventSource: () => {{
    const place = `after=${{after}}` + (epoch ? `&epoch=${{epoch}}` : "");
    return listen(`/k12ai/framework/jobs/${{job}}/events?type={ALL}&${{place}}`, told);
  }},
  WebSocket: () => dial(CHANNEL, [], told),
}};
const heard = ways[new URLSearchParams(location.search).get("by")]();
"""
PING = """async () => {  // what was owed has come before the answer to this
  await heard.count("message", 1);
  heard.socket.send(JSON.stringify({tag: "channel", op: "ping", id: "p"}));
  return (await heard.count("message", 2)).filter(one => one.kind === "message").map(one => one.data);
}"""
ENDED = "() => heard.until(() => last.includes('\"finished\"')).then(all)"


@pytest.mark.parametrize("way", ["EventSource", "WebSocket"])
async def test_it_goes_on_where_it_was(server, profile, way, tmp_path):
    await server.start(sse={"retry_s": 0.2})
    enough = tmp_path / "enough"
    job = await server.train(
        "import itertools, os, time\n"
        "for i in itertools.count():\n"
        "    print(f'epoch={i} loss=0.5', flush=True); time.sleep(0.02)\n"
        f"    if os.path.exists({str(enough)!r}): break"
    )
    page = await profile.front_end(server.origin, KEEPING, f"?by={way}&job={job}")
    heard = 0
    for _ in range(3):
        heard = await page.run("(many) => heard.until(() => all().length >= many).then(() => all().length)", heard + 20)
        await page.reload()  # while events come
    if way == "EventSource":  # now the address says `after`, and the browser says what goes before it
        heard = await page.run("(many) => heard.until(() => all().length >= many).then(() => all().length)", heard + 20)
        await server.end(signal.SIGTERM)
        await server.start()
    await page.run("(many) => heard.until(() => all().length >= many).then(() => null)", heard + 20)
    enough.touch()
    ended = await page.run(ENDED)
    stored = await server.events(f"/k12ai/framework/jobs/{job}/events")
    assert ended == stored
    epochs = [m["metrics"]["epoch"] for m in map(json.loads, stored) if m["type"] == "metrics"]
    assert epochs == list(range(len(epochs)))
    assert await page.run("() => sessionStorage.getItem('recovered')") == "true"

    await page.reload()  # of a job that it has heard out
    if way == "EventSource":
        assert await page.run("() => heard.count('over', 1)") == [{"kind": "over"}], "204, and it stays away"
    else:
        answers = await page.run(PING)
        assert [(m["op"], m["id"]) for m in map(json.loads, answers)] == [("subscribe", "s"), ("ping", "p")]
    assert await page.run("all") == stored
