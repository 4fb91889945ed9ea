"""Where the server may listen, whom it believes, and its own TLS."""

import asyncio
import contextlib
import json
import os
import socket
import ssl
import time

import psutil
import pytest
import trustme

from k12ai_ws.access.addresses import Proxies, is_loopback
from k12ai_ws.access.binding import UnsafeBinding, is_exposed, require_safe
from k12ai_ws.api.origins import own_host, same_origin
from k12ai_ws.app import StartError
from k12ai_ws.client import Client as PythonClient
from k12ai_ws.client import NotAllowed

EVERYWHERE = {"server": {"host": "0.0.0.0", "port": 0}}
JOBS = "/k12ai/framework/jobs"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def tls(authority, tmp_path):
    """The settings of a server with a certificate for localhost."""
    made = authority.issue_cert("localhost", "127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    made.private_key_pem.write_to_path(key)
    return {"tls_cert": str(cert), "tls_key": str(key)}


async def refuses(serve, settings, *said):
    with pytest.raises(StartError) as e:
        await serve(settings)
    for text in said:
        assert text in str(e.value)


async def test_an_exposed_server_wants_tokens_and_tls(serve, keys, tls) -> None:
    await refuses(serve, EVERYWHERE, "k12ai token create --admin", "server.tls_cert", "docs/security.md")
    await refuses(serve, {"server": EVERYWHERE["server"] | tls}, "k12ai token create --admin")
    token = keys.token()
    await refuses(serve, EVERYWHERE, "server.trusted_proxies")
    await refuses(serve, {"server": EVERYWHERE["server"] | tls, "access": {"mode": "off"}}, "access.mode")
    await refuses(serve, EVERYWHERE | {"access": {"mode": "off"}}, "access.mode", "server.tls_cert")
    keys.revoke(token)
    await refuses(serve, {"server": EVERYWHERE["server"] | tls}, "k12ai token create --admin")


async def test_an_exposed_server_with_both_starts(serve, keys, tls) -> None:
    keys.token()
    assert (await serve({"server": EVERYWHERE["server"] | tls})).address.startswith("https://0.0.0.0:")


async def test_what_comes_past_the_proxies_unencrypted_is_refused(serve, keys) -> None:
    """Before its token is looked at. The machine's own address stands for another machine's."""
    outside = [
        a.address
        for addresses in psutil.net_if_addrs().values()
        for a in addresses
        if a.family == socket.AF_INET and not is_loopback(a.address)
    ]
    if not outside:
        pytest.skip("this machine has no address but loopback's")
    token = keys.token()
    client = await serve({"server": EVERYWHERE["server"] | {"trusted_proxies": ["203.0.113.77"]}})

    async def ask(host):
        reader, writer = await asyncio.open_connection(host, client.port)
        writer.write(
            f"GET {JOBS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode()
        )
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        return answer

    answer = await ask(outside[0])
    assert answer.startswith("HTTP/1.1 403")
    assert "server.trusted_proxies" in answer
    assert (await ask("127.0.0.1")).startswith("HTTP/1.1 200"), "the machine itself"


async def test_a_proxy_will_do_for_tls(serve, keys) -> None:
    keys.token()
    client = await serve({"server": EVERYWHERE["server"] | {"trusted_proxies": ["192.0.2.0/24"]}})
    assert (await client.get(JOBS)).status == 401


@pytest.mark.parametrize("host", ["::", "0.0.0.0", "192.0.2.1"])
def test_what_is_exposed(host) -> None:
    assert is_exposed(["127.0.0.1", host])
    with pytest.raises(UnsafeBinding):
        require_safe(host, mode="auto", lets_anybody_in=True, has_tls=False, has_proxies=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])
def test_what_is_not(host) -> None:
    assert not is_exposed([host])


async def test_behind_a_proxy_a_token_is_needed_on_loopback_too(serve, keys) -> None:
    client = await serve({"server": {"port": 0, "trusted_proxies": ["127.0.0.1"]}})
    assert (await client.get(JOBS)).status == 401


async def test_tls_of_its_own(serve, keys, tls, authority, monkeypatch, tmp_path) -> None:
    token = keys.token("ann")
    client = await serve({"server": {"port": 0} | tls})
    assert client.address.startswith("https://127.0.0.1:")
    roots = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(roots)
    context = ssl.create_default_context(cafile=str(roots))

    async def ask(path, *headers):
        reader, writer = await asyncio.open_connection(client.host, client.port, ssl=context)
        head = f"GET {path} HTTP/1.1\r\nHost: localhost:{client.port}\r\nConnection: close\r\n"
        writer.write((head + "".join(f"{h}\r\n" for h in headers) + "\r\n").encode())
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        return answer

    answer = await ask(JOBS, f"Authorization: Bearer {token}")
    assert answer.startswith("HTTP/1.1 200")
    assert "Strict-Transport-Security" in answer
    assert (await ask(JOBS)).startswith("HTTP/1.1 401")
    body = json.dumps({"token": token})
    reader, writer = await asyncio.open_connection(client.host, client.port, ssl=context)
    head = f"POST /k12ai/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}\r\n{body}".encode())
    answer = (await reader.read()).decode()
    writer.close()
    cookie = next(line for line in answer.splitlines() if line.lower().startswith("set-cookie:"))
    assert "__Host-k12ai_session=" in cookie
    assert "Secure" in cookie
    value = cookie.partition("=")[2].partition(";")[0]
    assert (await ask("/k12ai/session", f"Cookie: __Host-k12ai_session={value}")).startswith("HTTP/1.1 200")
    assert (await ask("/k12ai/session", f"Cookie: k12ai_session={value}")).startswith("HTTP/1.1 401")


async def test_a_renewed_certificate_is_taken_without_a_restart(serve, tls, authority, tmp_path, caplog) -> None:
    caplog.set_level("INFO", logger="k12ai_ws.tls")
    client = await serve({"server": {"port": 0, "tls_check_s": 0.02} | tls})
    roots = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(roots)
    context = ssl.create_default_context(cafile=str(roots))

    async def serial():
        _, writer = await asyncio.open_connection(client.host, client.port, ssl=context)
        found = writer.get_extra_info("peercert")["serialNumber"]
        writer.close()
        await writer.wait_closed()
        return found

    async def said(text):
        deadline = time.monotonic() + 30
        while not any(text in message for message in caplog.messages):
            assert time.monotonic() < deadline, caplog.messages
            await asyncio.sleep(0.01)

    first = await serial()
    reader, writer = await asyncio.open_connection(client.host, client.port, ssl=context)
    made = authority.issue_cert("localhost", "127.0.0.1")
    (tmp_path / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    await said("connections go on with the certificate read before")  # its key is not there yet
    assert await serial() == first
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    await said("was renewed")
    assert await serial() != first
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")  # who is in stays in
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()


async def test_the_python_client_over_tls(serve, keys, tls, authority, monkeypatch, tmp_path) -> None:
    token = keys.token("ann")
    client = await serve({"server": {"port": 0} | tls})
    roots = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(roots)
    import sys

    script = (
        "import asyncio, sys\nfrom k12ai_ws.client import Client\n"
        "async def main():\n async with Client(sys.argv[1], token=sys.argv[2]) as c:\n"
        "  job = await c.start('toy', 'train', user='ann', service_uuid='p', params={'script': 'print(1)'})\n"
        "  async for event in c.follow_job(job.job_id): last = event\n"
        "  print(last.body['value'])\nasyncio.run(main())"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, client.address, token, stdout=asyncio.subprocess.PIPE,
        env={"SSL_CERT_FILE": str(roots)},
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert out == b"finished\n"


@pytest.mark.parametrize("wrong", ["tls_cert", "tls_key"])
async def test_tls_that_cannot_work_is_refused(serve, tls, tmp_path, wrong) -> None:
    (tmp_path / "bad.pem").write_text("nothing")
    await refuses(serve, {"server": {"port": 0} | tls | {wrong: str(tmp_path / "bad.pem")}}, "TLS", "bad.pem")
    await refuses(serve, {"server": {"port": 0} | tls | {wrong: str(tmp_path / "none.pem")}}, "none.pem")


async def test_a_key_alone_is_refused(serve, tls) -> None:
    await refuses(serve, {"server": {"port": 0, "tls_key": tls["tls_key"]}}, "server.tls_cert")


async def test_a_broken_access_file_is_refused(serve, tmp_path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "access.sqlite3").write_bytes(b"this is no database, but long enough to be looked at" * 100)
    await refuses(serve, {}, "access.sqlite3")


class TestProxies:
    proxies = Proxies(["10.0.0.0/8", "::1"])

    def client(self, peer, forwarded):
        return self.proxies.client(peer, {"X-Forwarded-For": forwarded})

    def test_nobody_elses_word_is_believed(self) -> None:
        assert self.client("192.0.2.9", "203.0.113.5") == "192.0.2.9"
        assert not self.proxies.is_secure("192.0.2.9", {"X-Forwarded-Proto": "https"}, "http")
        assert self.proxies.is_secure("10.1.2.3", {"X-Forwarded-Proto": "https"}, "http")
        assert not self.proxies.is_secure("10.1.2.3", {"X-Forwarded-Proto": "https, http"}, "http")

    def test_what_a_client_put_there_itself_is_not_believed(self) -> None:
        assert self.client("10.0.0.1", "198.51.100.1, 203.0.113.5") == "203.0.113.5"
        assert self.client("10.0.0.1", "198.51.100.1, 203.0.113.5, 10.0.0.2") == "203.0.113.5"
        assert self.client("10.0.0.1", "198.51.100.1, rubbish") == "10.0.0.1"
        assert self.client("10.0.0.1", "") == "10.0.0.1"
        assert self.client("::1", "2001:db8::1") == "2001:db8::1"
        assert self.client("::ffff:10.0.0.1", "203.0.113.5") == "203.0.113.5"


async def test_a_host_that_is_not_allowed(serve, keys) -> None:
    client = await serve({"server": {"port": 0, "allowed_hosts": ["ai.school.example"]}})
    for host, status in (
        ("ai.school.example", 200),
        ("AI.school.example:443", 200),
        ("localhost", 200),
        ("evil.example", 403),
        ("ai.school.example.evil.example", 403),
        ("[::1", 403),
    ):
        reader, writer = await client.socket()
        writer.write(f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        line = await reader.readline()
        writer.close()
        assert int(line.split()[1]) in (status, 400 if status == 403 else status), host


async def test_pages_of_other_origins(serve, keys, known) -> None:
    token = keys.token("ann")
    friend, evil = "https://school.example", "https://evil.example"
    client = known(await serve({"server": {"port": 0, "allowed_origins": [friend]}}), token)
    reply = await client.get(JOBS, Origin=friend)
    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (200, friend)
    assert "Access-Control-Allow-Credentials" not in reply.headers
    assert (await client.get(JOBS, Origin=evil)).status == 403
    channel = await client.channel(Origin=friend)
    await channel.ping()
    status, _, writer = await client.handshake(Origin=evil)
    writer.close()
    assert status == 403
    reader, writer = await client.socket()
    ask = "OPTIONS /k12ai/framework/train HTTP/1.1\r\nHost: localhost\r\nOrigin: {}\r\nConnection: close\r\n\r\n"
    writer.write(ask.format(friend).encode())
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 204")
    assert "Authorization" in answer
    assert (await client.request("OPTIONS", JOBS, Origin=evil)).status == 403
    assert (await client.request("OPTIONS", JOBS)).status == 405


async def test_no_answer_can_be_framed_sniffed_or_kept(school) -> None:
    for reply in (await school.ann.get(JOBS), await school.stranger.get(JOBS), await school.ann.get("/nothing")):
        assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["X-Frame-Options"] == "DENY"
        assert "Server" not in reply.headers


async def test_the_python_client_says_that_a_token_is_missing(school) -> None:
    async with PythonClient(school.stranger.address) as client:
        with pytest.raises(NotAllowed, match="k12ai token create"):
            await client.jobs()
        with pytest.raises(NotAllowed):
            async for _ in client.follow():
                pass
    async with PythonClient(school.stranger.address, token=school.tokens["ann"]) as client:
        assert (await client.jobs()).jobs == []


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "\u00e9", "a\n"])
def test_the_python_client_sends_no_token_that_is_none(token) -> None:
    with pytest.raises(ValueError, match="no token"):
        PythonClient("http://localhost", token=token)


async def test_a_name_of_this_machine_is_no_leave_for_other_names(serve, monkeypatch) -> None:
    """DNS rebinding: a page's name points at loopback, where no token is needed."""
    client = await serve({"server": {"port": 0, "host": "localhost"}})
    for host, status in (("localhost", 200), ("127.0.0.1", 200), ("evil.example", 403)):
        reader, writer = await client.socket()
        writer.write(f"GET /k12ai/session HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert int((await reader.readline()).split()[1]) == status, host
        writer.close()


@pytest.mark.parametrize(("listening", "exposed", "status"), [("vm", False, False), ("vm", True, True)])
def test_whose_host_is_ones_own(listening, exposed, status) -> None:
    assert own_host("vm:8170", (listening,), exposed=exposed)
    assert own_host("localhost", (listening,), exposed=exposed)
    assert own_host("evil.example", (listening,), exposed=exposed) is status


@pytest.mark.parametrize(("secure", "own"), [(False, True), (True, False)])
def test_a_page_that_came_in_clear_is_nobodys_own_behind_tls(secure, own) -> None:
    assert same_origin("http://ai.school.example", "ai.school.example", secure=secure) is own
    assert same_origin("https://ai.school.example", "ai.school.example", secure=secure)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be led astray")
async def test_root_follows_no_link_of_the_servers_user(keys, tmp_path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("root's")
    keys.token()
    for folder in (keys.folder, *(p for p in keys.folder.rglob("*"))):
        os.chown(folder, 64_000, 64_000, follow_symlinks=False)
    (keys.folder / "audit" / ".lock").unlink(missing_ok=True)
    (keys.folder / "audit" / ".lock").symlink_to(victim)
    with contextlib.suppress(AssertionError):  # it may well say that it cannot write there
        keys("token", "create", "--user", "ann")
    assert (victim.stat().st_uid, victim.read_text()) == (0, "root's")
