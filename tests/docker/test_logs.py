"""Whatever a container prints is read, each byte once, with nobody's help but the engine's."""

import asyncio
import contextlib
import socket
import threading
from pathlib import Path

import pytest

from k12ai_ws.launchers.docker.engine import Engine

pytestmark = pytest.mark.docker

LINES = 500_000
FLOOD = f"import sys\nfor i in range({LINES}): sys.stdout.write('epoch=%d loss=0.5 and some more words\\n' % i)"
FLOODED = b"".join(b"epoch=%d loss=0.5 and some more words\n" % i for i in range(LINES))
# Text without an end, bytes that are no text, empty lines, lines longer than the engine's pieces of 16 KiB.
ODD = r"""
import os, sys, time
def gate(name):
    while not os.path.exists(name): time.sleep(0.005)
for part in range(6):
    gate(f"gate{part}")
    os.write(1, b"a\n\n\n%d \xff\xfe\x00\n" % part)
    os.write(1, b"x" * 40_000 + b"\n" + b"y" * 16384 + b"\n" + b"z" * 100)
    for i in range(2000): os.write(2, b"%d%%|## \r" % i)
    os.write(1, b"end of the line\n\n")
    print(f"part {part}", flush=True)
os.write(2, b"no end")
"""
ODD_OUT = b"".join(
    b"a\n\n\n%d \xff\xfe\x00\n" % part
    + b"x" * 40_000 + b"\n" + b"y" * 16384 + b"\n" + b"z" * 100
    + b"end of the line\n\n" + b"part %d\n" % part
    for part in range(6)
)  # fmt: skip
ODD_ERR = b"".join(b"%d%%|## \r" % i for i in range(2000)) * 6 + b"no end"


def streams(chunks):
    """What was printed on stdout and on stderr."""
    return tuple(b"".join(c.data for c in chunks if c.stream == stream) for stream in ("stdout", "stderr"))


class Proxy:
    """Between a launcher and the engine; `cut` drops all connections that are open, and takes new ones."""

    def __init__(self, path: Path, engine: str) -> None:
        self.address = f"unix://{path}"
        self._engine = engine
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(64)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._engine)
            self._open += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut(self) -> None:
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()


@pytest.fixture
def proxy(tmp_path):
    proxy = Proxy(tmp_path / "proxy.sock", "/" + Engine().address.partition("://")[2].lstrip("/"))
    yield proxy
    proxy.close()


@pytest.mark.parametrize("attempt", range(20))
async def test_half_a_million_lines_and_a_sudden_end(place, launcher, attempt):
    handle = await launcher.launch(place.python(FLOOD))
    out, err = streams(await place.read(launcher, handle))
    assert (out == FLOODED, err) == (True, b"")  # not ==: pytest would compare twenty megabytes for its message
    assert (await launcher.wait(handle)).exit_code == 0


async def test_two_hundred_megabytes(place, launcher):
    source = "import os\nblock = b'0123456789abcde\\n' * 4096\nfor i in range(3200): os.write(1, block)"
    handle = await launcher.launch(place.python(source))
    size, sound = 0, True
    async for batch in launcher.logs(handle, 0):
        for chunk in batch:
            sound = sound and chunk.data == (b"0123456789abcde\n" * 4098)[size % 16 :][: len(chunk.data)]
            size += len(chunk.data)
    assert (size, sound) == (3200 * 65536, True)


async def test_bytes_of_any_kind_are_kept_across_servers(place):
    """The first server attaches, the next ones read the engine's log from where it was left."""
    request = place.python(ODD)
    place.output.mkdir()
    first = place.launcher()
    handle = await first.launch(request)
    lives = [first]
    for part in range(6):
        if part in (2, 4, 5):
            await lives[-1].close()
            (place.output / f"gate{part}").touch() if part == 4 else None  # printed while nobody reads
            lives.append(place.launcher())
            assert await lives[-1].adopt() == {request.job_id: handle}
        (place.output / f"gate{part}").touch()
        seen = b""
        async with asyncio.timeout(30):
            async for batch in lives[-1].logs(handle, 0):
                seen += b"".join(chunk.data for chunk in batch if chunk.stream == "stdout")
                if b"part %d\n" % part in seen:
                    break
    assert streams(await place.read(lives[-1], handle)) == (ODD_OUT, ODD_ERR)
    await lives[-1].close()


async def test_a_connection_that_drops_again_and_again(place, proxy):
    launcher = place.launcher(engine=Engine(proxy.address))
    source = (
        "import sys, time\n"
        "for i in range(3000):\n"
        "    print('line', i, flush=True); print('bar', i, end='\\r', file=sys.stderr, flush=True)\n"
        "    if i % 100 == 0: time.sleep(0.1)"
    )
    handle = await launcher.launch(place.python(source))
    chunks, cuts = [], 0
    async for batch in launcher.logs(handle, 0):
        chunks += batch
        if len(b"".join(c.data for c in chunks)) > 5000 * (cuts + 1):
            cuts += 1
            proxy.cut()
    out, err = streams(chunks)
    assert out == b"".join(b"line %d\n" % i for i in range(3000))
    assert err == b"".join(b"bar %d\r" % i for i in range(3000))
    assert cuts >= 3
    assert (await launcher.wait(handle)).exit_code == 0
    await launcher.close()


async def test_the_engines_log_may_be_rotated_under_a_reader(place):
    launcher = place.launcher(engine_log_bytes=64 << 10)
    source = "for i in range(100_000): print('a line of some length, number', i)"
    handle = await launcher.launch(place.python(source))
    out, err = streams(await place.read(launcher, handle))
    assert (out == b"".join(b"a line of some length, number %d\n" % i for i in range(100_000)), err) == (True, b"")
    await launcher.close()


async def test_what_a_rotation_has_cost_while_nobody_read_is_said(place, engine):
    first = place.launcher(engine_log_bytes=64 << 10)
    source = (
        "import os, time\nprint('first', flush=True)\n"
        "while not os.path.exists('gate'): time.sleep(0.01)\n"
        "for i in range(20_000): print('same old line')\n"
        "print('last')"
    )
    place.output.mkdir()
    handle = await first.launch(place.python(source))
    await place.first(first, handle)
    await first.close()
    (place.output / "gate").touch()
    await asyncio.to_thread(engine.api.wait, handle["container"])
    second = place.launcher(engine_log_bytes=64 << 10)
    await second.adopt()
    out, err = streams(await place.read(second, handle))
    assert out.startswith(b"first\nsame old line\n")
    assert out.endswith(b"same old line\nlast\n")
    assert b"[k12ai] the engine has rotated its log of this job: lines may be missing here\n" in err
    await second.close()


async def test_streams_and_times_are_told_apart(place, launcher):
    source = "import os, time\nos.write(1, b'out\\n'); time.sleep(0.3); os.write(2, b'err\\n')"
    handle = await launcher.launch(place.python(source))
    chunks = await place.read(launcher, handle)
    end = await launcher.wait(handle)
    assert [(c.stream, c.data) for c in chunks] == [("stdout", b"out\n"), ("stderr", b"err\n")]
    assert end.started_ms - 50 <= chunks[0].at_ms
    assert chunks[0].at_ms + 250 <= chunks[1].at_ms
    assert chunks[1].at_ms <= end.ended_ms + 1000
