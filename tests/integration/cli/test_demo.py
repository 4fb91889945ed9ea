"""`k12ai demo`: the whole story, and nothing left behind."""

import asyncio
import json
import re
import signal
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .conftest import K12ai

pytestmark = pytest.mark.skipif(find_spec("k12cv") is None, reason="the demo runs the service k12cv")


async def test_the_whole_story(k12ai: K12ai, tmp_path: Path) -> None:
    done = await k12ai("demo")
    assert done.code == 0, done.out + done.err
    accuracy = re.search(r"Test accuracy: ([\d.]+)%", done.out)
    assert accuracy
    assert float(accuracy[1]) > 95
    assert re.search(r"metrics  epoch=20 .*val_accuracy=", done.out)
    assert "Code 100912: name is not defined" in done.out
    assert "pupil/noise.py, line 8, in augment" in done.out
    assert "> noisy = np.clip(images + nosie, 0, 1)" in done.out
    assert "NameError: name 'nosie' is not defined" in done.out
    assert "k12ai train k12nlp --follow" in done.out
    assert done.err == ""
    assert not list((tmp_path / "tmp").iterdir())


async def test_a_program_hears_the_events_alone(k12ai: K12ai) -> None:
    done = await k12ai("demo", "--json")
    assert done.code == 0, done.err
    ends = [e["status"]["value"] for e in done.lines if e["type"] == "status"]
    assert [end for end in ends if end in ("finished", "failed")] == ["finished", "failed"]
    assert [e["error"]["code"] for e in done.lines if e["type"] == "error"] == [100912]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
async def test_it_cleans_up_after_itself_however_it_ends(k12ai: K12ai, tmp_path: Path, number: int) -> None:
    demo = await k12ai.begin("demo")
    address = urlsplit((await demo.until("ready at")).split()[4])
    await demo.until("metrics")
    done = await demo.interrupt(number)
    assert done.code == 130
    assert "Traceback" not in done.err
    assert not list((tmp_path / "tmp").iterdir())
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address.hostname, address.port)


async def test_a_server_that_does_not_start_is_an_error(k12ai: K12ai, tmp_path: Path) -> None:
    """Its last words are shown."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import sys\nif 'serve' in sys.orig_argv: sys.exit('no server today')\n"
    )
    done = await k12ai("demo", PYTHONPATH=str(tmp_path / "site"))
    assert done.code == 1
    assert "the server did not start" in done.err
    assert "no server today" in done.err
    assert not list((tmp_path / "tmp").iterdir())


async def test_the_json_of_events_is_the_servers_own(k12ai: K12ai) -> None:
    demo = await k12ai.begin("demo", "--json")
    first = json.loads(await demo.line())
    assert (first["type"], first["user"], first["service_name"]) == ("status", "pupil", "k12cv")
    assert (await demo.interrupt()).code == 130
