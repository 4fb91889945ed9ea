"""Pages of other origins: what a browser lets them do to the server with its cookie is nothing, and reads them nothing.

Another port of the server's own name is of the same site, and gets the cookie sent, SameSite=Strict or not; another
name is of another site, and does not.
"""

import json

import pytest
from browserrig.browser import FOREIGN
from browserrig.server import ALL, order
from browserrig.sites import other_site

LOGIN = """async (origin, token) =>
  (await fetch(origin + "/k12ai/session", {method: "POST", body: JSON.stringify({token})})).status"""
READ = """async (url, options) => {
  try {
    const answer = await fetch(url, {credentials: "include", ...options});
    return answer.type === "opaque" ? "opaque" : [answer.status, await answer.text()];
  } catch (e) {
    return e.name;
  }
}"""
SUBMIT = """(url, text) => {  // a form's body is `name=value`, which is JSON too where the equals sign is in a string
  const form = document.body.appendChild(document.createElement("form"));
  [form.method, form.enctype, form.action] = ["POST", "text/plain", url];
  const field = form.appendChild(document.createElement("input"));
  [field.name, field.value] = [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)];
  form.submit();
}"""
SOCKET = "(url, protocols) => dial(url, protocols).count('close', 1)"
SIMPLE = {"method": "POST", "mode": "no-cors", "headers": {"Content-Type": "text/plain"}}
BLOCKED = "TypeError"
CLOSED = [{"kind": "close", "code": 1006, "clean": False}]
JOBS, TRAIN, WS, EVENTS = "/k12ai/framework/jobs", "/k12ai/framework/train", "/k12ai/ws", f"/k12ai/events?type={ALL}"


@pytest.fixture
async def elsewhere():
    async with other_site() as port:
        yield port


def ws(origin):
    return origin.replace("http", "ws", 1) + WS


async def attack(page, server, body):
    """All that a page can try with a cookie that is not its own. `body` would start a job."""
    origin = server.origin
    for path in (JOBS, EVENTS, "/k12ai/session", "/openapi.json"):
        assert await page.run(READ, origin + path, {}) == BLOCKED, path
        assert await page.run(READ, origin + path, {"mode": "no-cors"}) == BLOCKED, path
    assert (await page.run("(url) => listen(url).count('over', 1)", origin + EVENTS)) == [{"kind": "over"}]
    assert await page.run(SOCKET, ws(origin), []) == CLOSED
    text = json.dumps(body)
    assert await page.run(READ, origin + TRAIN, SIMPLE | {"body": text}) == BLOCKED
    for headers in ({"X-K12AI-Request": "1"}, {"Content-Type": "application/json"}):  # both ask for leave first
        assert await page.run(READ, origin + TRAIN, {"method": "POST", "body": text, "headers": headers}) == BLOCKED
    assert await page.run(READ, origin + "/k12ai/session", {"method": "DELETE"}) == BLOCKED
    text = json.dumps(body | {"service_params": {"script": "a=1"}})
    refused = json.loads(await page.leave(SUBMIT, origin + TRAIN, text))
    assert refused["error"]["code"] == 100106, refused


@pytest.mark.parametrize("host", ["127.0.0.1", FOREIGN])
async def test_a_cookie_serves_no_other_page(server, profile, elsewhere, host):
    _, token = server.token("ann")
    await server.start()
    own = await profile.front_end(server.origin)
    assert await own.run(LOGIN, server.origin, token) == 200
    page = await profile.page()
    await page.go(f"http://{host}:{elsewhere}/")
    await attack(page, server, order("print('taken over')"))
    assert await own.run("(url) => dial(url).count('open', 1)", ws(server.origin)), "the session has outlived it all"
    status, listed = await own.run(READ, JOBS, {})
    assert (status, json.loads(listed)["info"]["jobs"]) == (200, [])
    await server.end()
    denied = [e for e in server.audit() if e["outcome"] == "denied"]
    assert {e["op"] for e in denied} >= {TRAIN, WS, JOBS}, "it was asked, and it was the server who refused"
    with_cookie = {e["op"] for e in denied if e["who"] is not None}
    assert with_cookie >= {JOBS, "/k12ai/session"} if host == "127.0.0.1" else not with_cookie


async def test_no_other_page_logs_anybody_in(server, profile, elsewhere):
    _, token = server.token("ann")
    await server.start()
    page = await profile.page()
    for host in ("127.0.0.1", FOREIGN):
        await page.go(f"http://{host}:{elsewhere}/")
        body = json.dumps({"token": token})
        assert await page.run(READ, server.origin + "/k12ai/session", SIMPLE | {"body": body}) == BLOCKED
        assert await profile.cookies() == []


async def test_a_server_that_asks_nobody_serves_no_other_page_either(server, profile, elsewhere):
    await server.start()
    page = await profile.page()
    for host in ("127.0.0.1", FOREIGN):
        await page.go(f"http://{host}:{elsewhere}/")
        await attack(page, server, order("print('taken over')"))
    assert json.loads((await server.call(JOBS))[1])["info"]["jobs"] == []


async def test_a_name_that_was_pointed_at_this_machine_is_not_the_servers(server, profile):
    """DNS rebinding: the page is of one origin with the server, as far as the browser knows."""
    await server.start()
    page = await profile.front_end(origin := f"http://{FOREIGN}:{server.port}")
    assert await page.run("() => location.origin") == origin
    for path, options in (
        (JOBS, {}),
        (TRAIN, {"method": "POST", "body": json.dumps(order("print(1)")), "headers": {"X-K12AI-Request": "1"}}),
    ):
        status, text = await page.run(READ, path, options)
        assert (status, json.loads(text)["error"]["code"]) == (403, 100106)
        assert "Host" in json.loads(text)["error"]["message"]
    assert await page.run(SOCKET, ws(origin), []) == CLOSED
    assert await page.run("(url) => listen(url).count('over', 1)", EVENTS) == [{"kind": "over"}]
    assert json.loads((await server.call(JOBS))[1])["info"]["jobs"] == []


async def test_an_origin_that_is_allowed_calls_with_a_token_and_not_with_the_cookie(server, profile, elsewhere):
    _, token = server.token("ann")
    allowed = f"http://127.0.0.1:{elsewhere}"  # of the same site: the cookie is sent
    await server.start(server={"allowed_origins": [allowed]})
    own = await profile.front_end(server.origin)
    assert await own.run(LOGIN, server.origin, token) == 200
    page = await profile.page()
    await page.go(f"{allowed}/")
    origin, bearer = server.origin, {"headers": {"Authorization": f"Bearer {token}"}, "credentials": "omit"}
    status, text = await page.run(READ, f"{origin}{JOBS}", bearer)
    assert (status, json.loads(text)["info"]["jobs"]) == (200, [])
    body = {"method": "POST", "body": json.dumps(order("print('epoch=1 loss=0.5')"))}
    status, text = await page.run(READ, origin + TRAIN, bearer | body)
    assert status == 202
    path = f"{JOBS}/{json.loads(text)['job_id']}/events"
    heard = await page.run(
        """async (url, token) => {
          const headers = {Authorization: "Bearer " + token, Accept: "text/event-stream"};
          return (await fetch(url, {headers})).text();
        }""",
        f"{origin}{path}?type={ALL}", token,
    )  # fmt: skip
    told = [line.removeprefix("data: ") for line in heard.splitlines() if line.startswith("data: ")]
    assert told[1:] == await server.events(path, token)
    opened = await page.run("(url, token) => dial(url, withToken(token)).count('open', 1)", ws(origin), token)
    assert opened[0]["protocol"] == "v1.k12ai"

    assert await page.run(READ, origin + JOBS, {}) == BLOCKED
    assert (await page.run(READ, origin + JOBS, {"credentials": "omit"}))[0] == 401, "an answer that it may read"
    assert await page.run(READ, origin + TRAIN, SIMPLE | {"body": body["body"]}) == "opaque"
    assert await page.run(SOCKET, ws(origin), []) == CLOSED
    assert len(json.loads((await server.call(JOBS, token=token))[1])["info"]["jobs"]) == 1


async def test_an_origin_that_is_allowed_follows_a_server_that_asks_nobody_through_a_restart(
    server, profile, elsewhere, told
):
    allowed = f"http://{FOREIGN}:{elsewhere}"
    await server.start(server={"allowed_origins": [allowed]}, sse={"retry_s": 0.2})
    job = await server.train(told.script)
    page = await profile.page()
    await page.go(f"{allowed}/")
    url = f"{server.origin}{JOBS}/{job}/events"
    told.tell("epoch=1 loss=0.5")
    await page.run("(url) => (window.own = listen(url)).until(all => all.some(m => m.data?.includes('0.5')))", url)
    await server.end()
    told.tell("epoch=2 loss=0.25")
    told.end()
    await server.start()
    heard = await page.run("() => own.count('over', 1)")
    events = [m["data"] for m in heard if m["kind"] == "message" and json.loads(m["data"])["tag"] != "channel"]
    stored = await server.events(f"{JOBS}/{job}/events")
    assert events == [text for text in stored if json.loads(text)["type"] != "log"]
    assert sum(json.loads(text)["type"] == "metrics" for text in events) == 2


async def test_an_answer_of_the_servers_is_no_page_that_could_call_it(server, profile):
    await server.start()
    page = await profile.page()
    await page.go(f"{server.origin}/health")
    assert await page.run("() => fetch('/health').then(() => 'called', (e) => e.name)") == BLOCKED
    ends = """() => new Promise((resolve) => {
      const source = new EventSource("/k12ai/events");
      source.onerror = source.onopen = () => resolve(source.readyState === EventSource.CLOSED);
    })"""
    assert await page.run(ends) is True
    framing = """(url) => new Promise((resolve) => {
      const frame = document.createElement("iframe");
      [frame.src, frame.onload] = [url, () => resolve(frame.contentDocument?.body?.innerText ?? "nothing")];
      document.body.append(frame);
    })"""
    own = await profile.front_end(server.origin)
    assert await own.run(framing, f"{server.origin}/health") == "nothing"
