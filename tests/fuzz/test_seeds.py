"""Logs that once broke a promise, and a short hunt with a fixed seed: what `make fuzz` does for longer."""

import time
from pathlib import Path
from random import Random

import pytest
from logfuzz import grammar
from logfuzz.engine import Hunt
from logfuzz.growth import too_slow
from logfuzz.mutate import mutated
from logfuzz.oracles import Broken, Case, examine
from logfuzz.seeds import SEEDS, read_seed, write_seed

from k12ai_ws.logs.pipeline import Pipeline

FILES = sorted(SEEDS.glob("*.log"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_log_that_once_broke_something(path: Path) -> None:
    cases = read_seed(path)
    for case in cases:
        examine(case)
    assert too_slow(cases[0].data) is None


@pytest.mark.parametrize("number", range(8))
def test_a_short_hunt(number: int) -> None:
    """The same logs each time: a failure here is the change's own."""
    rng = Random(number)
    made = [grammar.log(rng)[:3_000] for _ in range(12)]
    for data in [*made, *(mutated(data, rng, made)[:3_000] for data in made)]:
        examine(Case(data, rng.randrange(1 << 30)))


class TestTheHunterItself:
    """A hunt that cannot find anything proves nothing."""

    def test_a_seed_is_read_as_it_was_written(self, tmp_path: Path) -> None:
        case = Case(b"#seed 4\n\r\n\xff", 7)
        write_seed(tmp_path / "x.log", case)
        assert read_seed(tmp_path / "x.log")[0] == case

    def test_a_reader_that_raises_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def feed(self: Pipeline, data: bytes, **kwargs: object) -> list[object]:
            raise IndexError("a bug")

        monkeypatch.setattr(Pipeline, "feed", feed)
        with pytest.raises(Broken, match="raises: IndexError"):
            examine(Case(b"x\n", 1))

    def test_a_reader_that_reads_by_chunks_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = Pipeline.feed

        def feed(self: Pipeline, data: bytes, **kwargs: object) -> list[object]:
            return real(self, data[:-1] if data.endswith(b"  ") else data, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(Pipeline, "feed", feed)
        found: list[Broken] = []
        Hunt(Random(1), [b"ab  cd\n" * 20]).run(1.0, lambda case, broken: found.append(broken))
        assert any(broken.oracle.startswith(("split", "restart", "bytes")) for broken in found)

    def test_a_reader_whose_time_grows_too_fast_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = Pipeline.feed

        def feed(self: Pipeline, data: bytes, **kwargs: object) -> list[object]:
            until = time.thread_time() + 1e-8 * len(data) ** 2
            while time.thread_time() < until:
                pass
            return real(self, data, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(Pipeline, "feed", feed)
        assert too_slow(b"x" * 10_000) is not None
        monkeypatch.undo()
        assert too_slow(b"x" * 10_000) is None
