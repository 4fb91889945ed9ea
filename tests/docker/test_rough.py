"""What a server, an engine or a disk may do at the worst moment, and the run comes to its true end all the same."""

import asyncio
import contextlib
import socket
import threading

import pytest

from k12ai_ws.launchers.docker import making, runs
from k12ai_ws.launchers.docker.container import name_of
from k12ai_ws.launchers.docker.engine import Engine
from k12ai_ws.launchers.launcher import LaunchError
from k12ai_ws.launchers.recording import files
from k12ai_ws.launchers.recording.journal import JournalWriter

pytestmark = pytest.mark.docker

# Prints on with pauses, so that a log that is rotated under its reader can be followed.
PACED = """
import os, sys, time
print("first", flush=True)
while not os.path.exists("gate"): time.sleep(0.01)
for i in range(30_000):
    print("a line of some length, number", i)
    if i % 250 == 0: sys.stdout.flush(); time.sleep(0.05)
"""
STUBBORN = (
    "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nwhile True: print('on', flush=True); time.sleep(0.01)"
)


async def test_a_log_that_is_rotated_under_the_next_server_is_read_once(place):
    """The engine's own follow begins a file again at each rotation."""
    place.output.mkdir()
    first = place.launcher(engine_log_bytes=512 << 10)
    handle = await first.launch(place.python(PACED))
    await place.first(first, handle)
    await first.close()
    second = place.launcher(engine_log_bytes=512 << 10)
    await second.adopt()
    (place.output / "gate").touch()
    chunks = await place.read(second, handle)
    out = b"".join(chunk.data for chunk in chunks if chunk.stream == "stdout")
    expected = b"first\n" + b"".join(b"a line of some length, number %d\n" % i for i in range(30_000))
    assert out == expected, (len(out), len(expected))
    await second.close()


async def test_a_container_that_was_made_and_never_started_is_stopped(place, engine, monkeypatch):
    request = place.python("print('never')")
    first = place.launcher()

    def die(self, container):
        raise KeyboardInterrupt  # the server, before the start

    monkeypatch.setattr(Engine, "start", die)
    monkeypatch.setattr(runs.Runs, "_clear", lambda self: None)  # a dead server clears nothing
    monkeypatch.setattr(runs.Path, "unlink", lambda self, missing_ok=False: None)
    with pytest.raises(KeyboardInterrupt):
        await first.launch(request)
    monkeypatch.undo()
    await first.close()
    assert engine.containers.get(name_of(request.job_id)).status == "created"
    second = place.launcher()
    handle = (await second.adopt())[request.job_id]
    await second.stop(handle, 1.0)
    end = await asyncio.wait_for(second.wait(handle), 10)
    assert (end.stop_delivered, end.started_ms) == (True, None)
    await second.release(handle)
    assert not engine.api.containers(all=True, filters={"name": request.job_id})
    assert await second.adopt() == {}
    await second.close()


async def test_a_container_that_was_made_is_started_by_the_next_launch(place, engine, monkeypatch):
    request = place.python("print('at last')")
    first = place.launcher()
    monkeypatch.setattr(Engine, "start", lambda self, container: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(runs.Runs, "_clear", lambda self: None)
    monkeypatch.setattr(runs.Path, "unlink", lambda self, missing_ok=False: None)
    with pytest.raises(KeyboardInterrupt):
        await first.launch(request)
    monkeypatch.undo()
    await first.close()
    second = place.launcher()
    await second.adopt()
    printed, end = await place.run(second, request)
    assert (printed, end.exit_code) == (b"at last\n", 0)
    await second.close()


@pytest.mark.parametrize("how", ["stop", "limit"])
async def test_a_full_disk_does_not_shield_a_job_from_its_end(place, engine, monkeypatch, how):
    full = threading.Event()
    flush = JournalWriter.flush
    monkeypatch.setattr(JournalWriter, "flush", lambda self: not full.is_set() and flush(self))
    launcher = place.launcher(grace_s=0.5)
    limit = {"time_limit_s": 2.0} if how == "limit" else {}
    request = place.python(STUBBORN, resources=limit)
    handle = await launcher.launch(request)
    await place.first(launcher, handle)
    full.set()
    if how == "stop":
        await launcher.stop(handle, 0.5)
    await asyncio.wait_for(asyncio.to_thread(engine.api.wait, handle["container"]), 15)
    full.clear()
    end = await asyncio.wait_for(launcher.wait(handle), 15)
    assert (end.signal, end.timed_out, end.stop_delivered) == (9, how == "limit", how == "stop")
    await launcher.close()


async def test_a_release_right_after_the_end_removes_the_container(place, engine, monkeypatch):
    """The end is seen as soon as its file is there, whatever the disk still has to do for it."""
    real = files.os.fsync
    slow = threading.Event()
    monkeypatch.setattr(files.os, "fsync", lambda fd: (slow.wait(0.3), real(fd))[1])
    launcher = place.launcher()
    request = place.python("print('done')")
    handle = await launcher.launch(request)
    await launcher.wait(handle)
    await launcher.release(handle)
    assert not engine.api.containers(all=True, filters={"name": request.job_id})
    assert await launcher.adopt() == {}
    await launcher.close()


async def test_a_run_whose_record_cannot_be_written_leaves_no_container(place, launcher, engine, monkeypatch):
    def full(path, value, durable=True):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "write_json", full)
    request = place.python("pass")
    with pytest.raises(LaunchError, match="No space left on device"):
        await launcher.launch(request)
    assert not engine.api.containers(all=True, filters={"name": request.job_id})
    assert making.name_of(request.job_id) == name_of(request.job_id)


async def test_a_connection_that_is_dead_and_says_nothing(place, tmp_path):
    """Half open, as a lost route leaves it: no byte, and no end."""
    path = tmp_path / "quiet.sock"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(64)
    dead = threading.Event()
    sockets = []

    def pump(source, target, attached):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if attached and dead.is_set():
                    threading.Event().wait(60)  # it swallows what comes, and hangs
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect("/" + Engine().address.partition("://")[2].lstrip("/"))
                sockets.extend((near, far))
                first = near.recv(65536)
                far.sendall(first)
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=(source, target, b"/attach" in first), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    launcher = place.launcher(engine=Engine(f"unix://{path}"))
    handle = await launcher.launch(place.python("import time; print('one', flush=True); time.sleep(2); print('two')"))
    await place.first(launcher, handle)
    dead.set()
    out = b"".join(chunk.data for chunk in await place.read(launcher, handle))
    assert out == b"one\ntwo\n"
    assert (await launcher.wait(handle)).exit_code == 0
    await launcher.close()
    server.close()
    for each in sockets:
        each.close()
