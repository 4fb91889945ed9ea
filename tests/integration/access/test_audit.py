"""The audit log: who did what, what came of it, and that nothing is lost without a word."""

import json
import logging
from pathlib import Path

import pytest

from k12ai_ws.access.audit import CURRENT, Audit, AuditFiles, entry
from k12ai_ws.access.principal import LOCAL, Caller, Kind, Principal

TRAIN = "/k12ai/framework/train"


async def test_what_was_done_and_what_was_not_allowed(school, keys) -> None:
    job_id = await school.bob.start("print(1)", user="bob")
    await school.bob.until(job_id)
    await school.ann.post(TRAIN, school.ann.order("train.stop", "p", "bob"))
    channel = await school.ann.channel()
    await channel.subscribe("s", user="bob")
    await school.stranger.get("/k12ai/framework/jobs", Authorization=f"Bearer {school.tokens['ann'][:-2]}")
    await school.stranger.get("/k12ai/framework/jobs", Origin="http://evil.example")
    await school.stranger.post("/k12ai/session", {"token": school.tokens["ann"]})
    await school.stranger.server.close()
    school.stranger.server.closed_by_test = True
    noted = keys.audit()
    for token in school.tokens.values():
        assert token.split("_", 2)[2] not in json.dumps(noted)
    ann, bob = (
        {"by": "token", "id": school.tokens[name].split("_")[1], "user": name, "admin": False}
        for name in ("ann", "bob")
    )
    facts = [(e["op"], e["outcome"], e.get("who"), e.get("code")) for e in noted]
    for expected in (
        ("token.create", "ok", None, None),
        ("server.start", "ok", None, None),
        ("train.start", "ok", bob, None),
        ("framework.train.stop", "denied", ann, 100106),
        ("channel.subscribe", "denied", ann, 100106),
        ("authenticate", "denied", None, 100105),
        ("/k12ai/framework/jobs", "denied", None, 100106),
        ("server.stop", "ok", None, None),
    ):
        assert expected in facts
    started = next(e for e in noted if e["op"] == "train.start")
    assert (started["job_id"], started["service"], started["address"]) == (job_id, "toy", "127.0.0.1")
    assert next(e for e in noted if e["op"] == "session.create")["who"] == ann
    assert [e["at"] for e in noted] == sorted(e["at"] for e in noted)


async def test_it_is_rotated_and_bounded(serve, keys) -> None:
    client = await serve({"access": {"audit_bytes": 2000, "audit_files": 3}})
    for _ in range(60):
        await client.stop()
    await client.server.close()
    client.server.closed_by_test = True
    files = sorted(p.name for p in (keys.folder / "audit").glob("audit*"))
    assert files == [CURRENT, f"{CURRENT}.1", f"{CURRENT}.2"]
    noted = keys.audit()
    assert noted[-1]["op"] == "server.stop", "the last is kept"
    assert [e["at"] for e in noted] == sorted(e["at"] for e in noted)
    assert all(p.stat().st_size < 20_000 for p in (keys.folder / "audit").glob("audit*"))


@pytest.mark.parametrize("files", [1, 2, 5])
def test_rotation(tmp_path: Path, files: int) -> None:
    log = AuditFiles(tmp_path / "audit", 10, files)
    for number in range(12):
        log.append([b'{"n": %d}\n' % number])
    kept = sorted((tmp_path / "audit").glob("audit*"))
    assert len(kept) <= files
    assert json.loads((tmp_path / "audit" / CURRENT).read_text().splitlines()[-1]) == {"n": 11}
    numbers = sorted(json.loads(line)["n"] for p in kept for line in p.read_text().splitlines())
    assert numbers == list(range(numbers[0], 12)), "the youngest, without a gap"


async def test_what_cannot_be_written_stands_in_the_servers_log(tmp_path: Path, caplog) -> None:
    (tmp_path / "audit").write_text("a file, where a folder should be")
    audit = Audit(AuditFiles(tmp_path / "audit", 1000, 2), lambda: 0)
    with caplog.at_level(logging.ERROR):
        audit.record("train.start", "ok", Caller(LOCAL, "127.0.0.1"), job_id="abc")
        await audit.close()
    assert "cannot be written" in caplog.text
    assert '"job_id":"abc"' in caplog.text


def test_an_entry_is_one_line_whatever_is_in_it() -> None:
    caller = Caller(Principal(Kind.TOKEN, "x", "ann"), "192.0.2.1", "r-1")
    line = entry("op", "ok", 0, caller, text='a\n{"op": "forged"}\u2028', long="x" * 5000, nothing=None)
    assert line.count(b"\n") == 1
    read = json.loads(line)
    assert read["text"] == 'a\n{"op": "forged"}\u2028'
    assert len(read["long"]) == 300
    assert "nothing" not in read
    assert (read["request_id"], read["who"]["user"]) == ("r-1", "ann")
