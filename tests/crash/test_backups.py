"""`k12ai backup` beside a server under load, `k12ai restore` after a kill, and what subscribers are told then."""

import asyncio
import json
import os
import sys
from typing import Any

from .conftest import Channel, House, Seen, Subscriber


async def k12ai(house: House, *words: str) -> tuple[int, str]:
    """The command's exit code, and what it printed."""
    command = [sys.executable, "-m", "k12ai_ws.cli", *words, "--data-dir", str(house.data_dir)]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def subscribe(address: str, after: int, epoch: str) -> dict[str, Any]:
    """The answer to a subscriber who comes back with this token."""
    channel = await Channel.open(address)
    channel.send({"tag": "channel", "op": "subscribe", "id": "s", "filter": {}, "after": after, "epoch": epoch})
    answer: dict[str, Any] = json.loads(await channel.next())
    await channel.close()
    return answer


async def test_a_backup_of_a_busy_server_comes_back_as_a_log_of_another_epoch(house: House, seen: Seen) -> None:
    house.load = 2000
    address = await house.start(seed=1)
    job_id = await house.train("for n in range(50): print(f'epoch={n} loss=0.5')", "p")
    subscriber = Subscriber(seen, "all", whole=True)
    reader = asyncio.get_running_loop().create_task(subscriber.follow(address))
    await house.until(job_id, "finished")
    file = house.folder / "backup"
    code, output = await k12ai(house, "backup", str(file), "--json")
    assert code == 0, output
    made = json.loads(output)
    code, output = await k12ai(house, "backup", str(file))
    assert code == 1
    assert "is there already" in output
    code, output = await k12ai(house, "restore", str(file))
    assert code == 1
    assert "another server uses the data folder" in output
    more = made["head"] + 200
    async with asyncio.timeout(30):
        while max(seen.payloads, default=0) < more:
            await asyncio.sleep(0.01)
    house.kill()
    await house.gone()
    await reader
    last, epoch = max(seen.payloads), subscriber.epoch
    assert made["epoch"] == epoch
    code, output = await k12ai(house, "restore", str(file))
    assert code == 0, output
    assert "its new epoch is" in output
    assert "is kept in" in output
    house.load = 0
    address = await house.start()
    for after in (1, last):
        answer = await subscribe(address, after, str(epoch))
        assert answer["type"] == "error"
        assert answer["error"]["code"] == 100107
        detail = answer["error"]["detail"]
        assert detail["epoch"] != epoch
        assert (detail["recovered"], detail["head"]) == (False, made["head"])
    before, seen.payloads = seen.payloads, {}
    again = Subscriber(seen, "the restored log", whole=True)
    await again.reach(address, made["head"])
    assert seen.payloads == {seq: before[seq] for seq in range(1, made["head"] + 1)}
    assert again.epoch == detail["epoch"]
    code, message = await house.call(f"/k12ai/framework/jobs/{job_id}")
    assert (code, message["info"]["job"]["status"]["value"]) == (200, "finished")
    code, output = await k12ai(house, "doctor", "--launcher", "process", "--port", "0")
    assert f"event log: sound: {made['head']} events" in output


async def test_a_backup_is_never_put_among_the_servers_own_files(house: House) -> None:
    await house.start()
    data = house.data_dir
    (house.folder / "way").symlink_to(data)
    before = {p.name: p.stat().st_ino for p in data.iterdir()}
    for name in ("access.sqlite3", "server.lock", "k12ai.sqlite3-journal", "new", "runs/new", "../data/new"):
        for folder in (data, house.folder / "way"):
            code, output = await k12ai(house, "backup", "--force", str(folder / name))
            assert code == 1, output
            assert "is in the server's data folder" in output
    after = {p.name: p.stat().st_ino for p in data.iterdir()}  # the server may have made more of its own meanwhile
    assert {name: after.get(name) for name in before} == before
    assert not {"k12ai.sqlite3-journal", "new"} & set(after)


async def test_a_broken_log_is_refused_by_the_server_and_a_backup_mends_it(house: House, seen: Seen) -> None:
    house.load = 2000
    address = await house.start(seed=1)
    subscriber = Subscriber(seen, "all", whole=True)
    await subscriber.reach(address, 500)
    file = house.folder / "backup"
    assert (await k12ai(house, "backup", str(file)))[0] == 0
    house.kill()
    await house.gone()
    store = house.data_dir / "k12ai.sqlite3"
    store.with_name(store.name + "-wal").unlink()
    said = await house.start()
    assert said.startswith("cannot start: the store"), said
    assert "k12ai restore FILE" in said
    code, output = await k12ai(house, "doctor", "--launcher", "process", "--port", "0")
    assert code == 1
    assert "event log" in output
    code, output = await k12ai(house, "serve", "--port", "0")
    assert code == 1
    assert "k12ai restore FILE" in output
    assert (await k12ai(house, "restore", str(file)))[0] == 0
    house.load = 0
    assert (await house.start()).startswith("http")
