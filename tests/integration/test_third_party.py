"""Somebody else's driver: a package of its own, installed, found by its entry point, run."""

import asyncio
import shutil
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "third_party"
TRAIN = "/k12ai/framework/train"


async def sh(*command):
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, out.decode()


@pytest.fixture
async def python(tmp_path):
    """The interpreter of a temporary environment: this one's packages, and the third party's installed on top."""
    source = shutil.copytree(
        PACKAGE, tmp_path / "source", ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__")
    )
    environment = tmp_path / "environment"
    await sh(sys.executable, "-m", "venv", "--without-pip", environment)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "below.pth").write_text(f"import site; site.addsitedir({sysconfig.get_paths()['purelib']!r})\n")
    # Before 70.1 setuptools cannot build a wheel by itself, and pip has to fetch a newer one.
    quick = ["--no-build-isolation"] if tuple(map(int, version("setuptools").split(".")[:2])) >= (70, 1) else []
    python = environment / "bin" / "python"
    await sh(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", *quick, source)
    assert (site / "k12linreg.py").exists()
    return python


def order(op="train.start", **params):
    return {"op": op, "user": "u", "service_name": "k12linreg", "service_uuid": "p", "service_params": params}


async def test_a_third_party_driver_from_installation_to_metrics(house, python):
    client = await house.start(python=python)
    services = (await client.get("/k12ai/framework/services")).body
    assert services["broken"] == []
    found = {s["name"]: s for s in services["services"]}
    assert {"k12linreg", "toy"} <= set(found)
    linreg = found["k12linreg"]
    assert (linreg["distribution"], linreg["version"]) == ("k12linreg", "1.0")
    schema = linreg["tasks"]["train"]["service_params"]
    assert schema["properties"]["rate"]["description"] == "Learning rate; a large one diverges"

    channel = await client.channel()
    await channel.subscribe("s", type=["metrics", "status"])
    job_id = (await client.post(TRAIN, order())).message["job_id"]
    metrics = [m["metrics"] for m, _ in await channel.until_end(job_id) if m["type"] == "metrics"]
    assert [m["epoch"] for m in metrics] == list(range(1, 21))
    assert metrics[-1]["slope"] == pytest.approx(3, abs=0.2)
    assert metrics[-1]["mse"] < metrics[0]["mse"]

    reply = await client.post(TRAIN, order(rate=-1))
    assert (reply.status, reply.body["code"]) == (400, 100231)

    job_id = (await client.post(TRAIN, order(epochs=1000, rate=10))).message["job_id"]
    job = await client.until(job_id)
    assert (job["status"]["value"], job["status"]["code"]) == ("failed", 100907)  # as the driver classifies it
    assert job["error"]["detail"]["exc_type"] == "OverflowError"
    assert job["error"]["detail"]["traceback"][-1]["source"]


def test_it_fits_on_one_screen():
    assert len((PACKAGE / "k12linreg.py").read_text().splitlines()) <= 45


async def test_a_broken_plugin_disables_only_itself(house):
    for name, source in (
        ("k12rotten", "raise RuntimeError('rotten to the core')"),
        ("k12quits", "import sys; sys.exit(1)"),
        ("k12hookless", "x = 1"),
        ("k12twin", (Path(__file__).parent / "toy.py").read_text()),
        ("k12reserved", "from k12toy import *\nclass R(Toy):\n  service_name = 'other'\n  tasks = {'jobs': Script}\n"
         "@hookimpl\ndef k12ai_drivers(): return [R()]"),
    ):  # fmt: skip
        (house.site / f"{name}.py").write_text(source)
        info = house.site / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[k12ai_ws]\n{'z' if name == 'k12twin' else ''}{name} = {name}\n")
    client = await house.start()
    services = (await client.get("/k12ai/framework/services")).body
    broken = {b["distribution"]: b["error"] for b in services["broken"]}
    assert set(broken) == {"k12rotten", "k12quits", "k12hookless", "k12twin", "k12reserved"}
    assert "rotten to the core" in broken["k12rotten"]
    assert "already taken" in broken["k12twin"]
    assert "jobs" in broken["k12reserved"]
    toy = next(s for s in services["services"] if s["name"] == "toy")
    assert toy["distribution"] == "k12toy"
    reply = await client.post(TRAIN, order() | {"service_name": "k12rotten"})
    assert (reply.status, reply.body["code"]) == (404, 100201)
    assert "rotten to the core" in reply.body["message"]
    assert (await client.until(await client.start("print(1)")))["status"]["value"] == "finished"
