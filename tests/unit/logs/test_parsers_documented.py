"""docs/drivers.md says what is there of a parser of one's own: every part of `LogParser`, an example that works."""

import re
from pathlib import Path

import pytest

from k12ai_ws.drivers import LogParser, Metrics
from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import LogLines

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "drivers.md").read_text(encoding="utf-8")
PARTS = sorted({name for name in (*vars(LogParser), *LogParser.__annotations__) if not name.startswith("_")})


@pytest.mark.parametrize("name", PARTS)
def test_every_part_stands_there(name: str) -> None:
    assert re.search(rf"^\| `{name}\b", TEXT, re.MULTILINE)


def test_the_example_works() -> None:
    (code,) = re.findall(r"```python\n(class Lap.*?)```", TEXT, re.DOTALL)
    names = {"LogParser": LogParser, "Metrics": Metrics}
    exec(code, names)
    events = Pipeline([names["Lap"](), "auto"]).feed(b"overlap 1 2\nlap 17 48.5\nloss=0.5\n")
    found = [dict(event.values) for event in events if not isinstance(event, LogLines)]
    assert found == [{"step": 17, "lap_s": 48.5}, {"loss": 0.5}]
