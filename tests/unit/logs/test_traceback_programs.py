"""What is read from random programs' tracebacks, against what Python itself says, for every Python of this machine."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from k12ai_ws.logs.batch import parse
from k12ai_ws.wire.bodies import Fault, Json

GENERATOR = Path(__file__).with_name("generated_programs.py")
AT_A_TIME = 120


def pythons() -> list[str]:
    """This Python, and those of PATH and of pyenv that start: one of each version."""
    found = {sys.version_info[:2]: sys.executable}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in range(8, 15):
        candidates = [*map(str, sorted(pyenv.glob(f"3.{minor}.*/bin/python"))), shutil.which(f"python3.{minor}")]
        for path in filter(None, candidates):
            if (3, minor) in found:
                break
            said = subprocess.run(
                [path, "-c", "import sys; print(sys.version_info[1])"], capture_output=True, check=False
            )
            if said.returncode == 0 and said.stdout.strip() == str(minor).encode():
                found[3, minor] = path
    return [found[version] for version in sorted(found)]


def rows(python: str, seed: int, folder: Path) -> list[dict[str, Any]]:
    command = [python, "-W", "ignore", str(GENERATOR), str(seed), str(AT_A_TIME), str(folder)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, check=True, env=environment)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def plain(text: str | None) -> str:
    return "\n".join(line.rstrip() for line in (text or "").split("\n")).strip()


def spread(frames: list[Json]) -> list[list[Json]]:
    """The frames with repeated ones in full."""
    out = []
    for frame in frames:
        shown = [frame["filename"], frame["linenum"], frame["funcname"], frame["source"].split("\n")[0].strip()]
        out += [shown] * (1 + frame.get("repeated", 0))
    return out


def differences(truth: dict[str, Any], found: dict[str, Any], place: str = "top") -> list[str]:
    out = []
    if found["exc_type"] != truth["type"]:
        out.append(f"{place}: type {found['exc_type']!r}, not {truth['type']!r}")
    said = plain("\n".join([found["exc_text"], *found.get("notes", [])]))
    text = truth["text"] or ""
    if "suggestion" in found:  # Python 3.12 and later count it to the text
        text = text.removesuffix(found["suggestion"]).removesuffix(". ")
    if said != plain("\n".join([text, *truth["notes"]])):
        out.append(f"{place}: text {said!r}, not {truth['text']!r} with notes {truth['notes']}")
    frames = spread(found["traceback"])
    if truth["syntax"]:
        frames = frames[: len(truth["frames"])]
    if frames != truth["frames"]:
        out.append(f"{place}: frames {frames}, not {truth['frames']}")
    for kind in ("chain", "group"):
        links = found.get(kind) or []
        if len(links) != len(truth[kind]):
            out.append(f"{place}: {len(links)} in its {kind}, not {len(truth[kind])}")
        for index, (link, want) in enumerate(zip(links, truth[kind], strict=False)):
            if link.get("relation") != want.get("relation"):
                out.append(f"{place}: relation {link.get('relation')}, not {want.get('relation')}")
            out += differences(want, link, f"{place}.{kind}[{index}]")
    return out


def check(row: dict[str, Any]) -> list[str]:
    faults = [event for event in parse(row["log"].encode()) if isinstance(event, Fault)]
    if len(faults) != 1:
        return [f"{len(faults)} errors, not one: {[fault.detail['exc_type'] for fault in faults]}"]
    return differences(row["truth"], dict(faults[0].detail))


@pytest.mark.parametrize("python", pythons(), ids=lambda path: re.sub(r"\W", "_", Path(path).name))
def test_what_python_says_of_random_programs(python: str, tmp_path: Path) -> None:
    seed, until = 1, time.monotonic() + float(os.environ.get("K12AI_FUZZ_SECONDS", "0"))
    while True:
        folder = tmp_path / str(seed)
        folder.mkdir()
        for row in rows(python, seed, folder):
            wrong = check(row)
            assert not wrong, "\n".join([f"seed {seed}, {row['style']}", *wrong, row["log"], row["source"]])
        seed += 1
        if time.monotonic() >= until:
            break
