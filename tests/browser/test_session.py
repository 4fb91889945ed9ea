"""A page's session: the cookie alone opens everything, no script can read it, and the logout ends what it opened."""

import json

import pytest
import trustme
from browserrig.server import ALL, order

LOGIN = """async (body) => {
  const answer = await fetch("/k12ai/session", {method: "POST", body: JSON.stringify(body)});
  return {status: answer.status, cookie: document.cookie, header: answer.headers.get("Set-Cookie")};
}"""
CALL = """async (path, method, headers) => {
  const answer = await fetch(path, {method, headers});
  return {status: answer.status, message: await answer.json()};
}"""
OPEN = f"""async () => {{
  window.stream = listen("/k12ai/events?type={ALL}");
  window.channel = dial(CHANNEL);
  await Promise.all([stream.count("message", 1), channel.count("open", 1)]);
  channel.socket.send(JSON.stringify({{tag: "channel", op: "subscribe", id: "s"}}));
  await channel.count("message", 1);
}}"""
START = """async (order) => {
  const headers = {"X-K12AI-Request": "1"};
  const answer = await fetch("/k12ai/framework/train", {method: "POST", headers, body: JSON.stringify(order)});
  return (await answer.json()).job_id;
}"""


@pytest.fixture(params=["http", "https"])
async def known(request, server):
    """A server that knows ann by her token; with TLS of its own too, where the cookie is another."""
    if request.param == "https":
        authority, folder = trustme.CA(), server.folder
        certificate = authority.issue_cert("127.0.0.1")
        certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        server.secure(folder / "cert.pem", folder / "key.pem", authority)
    server.ann = server.token("ann")[1]
    await server.start(sse={"retry_s": 0.2})
    return server


async def test_it_lets_a_page_in_until_it_logs_out(known, profile):
    page = await profile.front_end(known.origin)
    assert (await page.run(CALL, "/k12ai/session", "GET", {}))["status"] == 401
    assert (await page.run(LOGIN, {"token": known.ann[:-4] + "AAAA"}))["status"] == 401
    assert await profile.cookies() == []

    assert await page.run(LOGIN, {"token": known.ann}) == {"status": 200, "cookie": "", "header": None}
    (cookie,) = await profile.cookies()
    secure = known.scheme == "https"
    assert cookie["name"] == ("__Host-k12ai_session" if secure else "k12ai_session")
    assert {n: cookie[n] for n in ("httpOnly", "secure", "sameSite", "path", "domain", "session")} == {
        "httpOnly": True, "secure": secure, "sameSite": "Strict", "path": "/", "domain": "127.0.0.1", "session": False,
    }  # fmt: skip

    other = await profile.front_end(known.origin)  # another tab
    assert (await other.run(CALL, "/k12ai/session", "GET", {}))["message"]["info"]["session"]["by"] == "session"
    for tab in (page, other):
        await tab.run(OPEN)
    job = await page.run(START, order("print('epoch=1 loss=0.5')"))
    for one in ("stream", "channel"):
        heard = await other.run(f"() => {one}.until(all => all.some(m => m.data?.includes('\"finished\"')))")
        assert job == json.loads(heard[-1]["data"])["job_id"]

    await known.end()
    await known.start()  # the session is there still
    for tab in (page, other):
        assert (await tab.run("() => channel.count('close', 1)"))[-1]["code"] == 1001
        await tab.run("() => stream.count('open', 2)")
        await tab.run("() => (window.channel = dial(CHANNEL)).count('open', 1)")

    assert (await page.run(CALL, "/k12ai/session", "DELETE", {}))["status"] == 403, "not without the page's own header"
    assert (await page.run(CALL, "/k12ai/session", "DELETE", {"X-K12AI-Request": "1"}))["status"] == 200
    for tab in (page, other):
        assert (await tab.run("() => channel.count('close', 1)"))[-1] == {"kind": "close", "code": 4401, "clean": True}
        heard = await tab.run("() => stream.count('over', 1)")  # it tries once more, is refused, and stays away
        assert json.loads([m for m in heard if m["kind"] == "message"][-1]["data"])["error"]["code"] == 100105
        assert (await tab.run(CALL, "/k12ai/session", "GET", {}))["status"] == 401
        heard = await tab.run("() => dial(CHANNEL).count('close', 1)")
        assert [one["kind"] for one in heard] == ["close"]
    assert await profile.cookies() == []
