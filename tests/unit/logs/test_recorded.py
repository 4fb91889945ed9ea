"""Logs that real frameworks wrote, and the metrics that their own histories say: one folder a recording.

`log.txt` is what a pipe or a terminal got, `made_by.py` the script that wrote it, `expected.json` the events in order.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import Fault, Metrics

RECORDED = Path(__file__).parent / "recorded"
NAMES = sorted(path.name for path in RECORDED.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_gives_its_metrics(name: str) -> None:
    folder = RECORDED / name
    data = (folder / "log.txt").read_bytes()
    expected: list[dict[str, Any]] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    pipeline = Pipeline(["auto"])
    events = [*pipeline.feed(data), *pipeline.close(at_ms=0)]
    assert [dict(event.values) for event in events if isinstance(event, Metrics)] == expected
    assert not [event for event in events if isinstance(event, Fault) and event.severity == "error"]


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_is_small_and_says_how_it_was_made(name: str) -> None:
    folder = RECORDED / name
    assert (folder / "log.txt").stat().st_size <= 20_000
    assert (folder / "made_by.py").read_text(encoding="utf-8").startswith('"""')
