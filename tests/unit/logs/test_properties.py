"""What must not change what a log says: lines around it, prefixes, colours, line ends, and saying it twice."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logfuzz import crashes, grammar

from k12ai_ws.logs.batch import parse
from k12ai_ws.wire.bodies import Fault, Metrics

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.log"))
ERRORS = [path for path in FIXTURES if path.stem in ("chain", "group", "notes", "recursion", "several")]
assert len(ERRORS) == 5
RANDOM = st.randoms(use_true_random=False)
POSITIONS = {"epoch", "step", "batch", "rank"}


def told(detail: Any) -> Any:
    """What an exception is: type, text, frames, chain and group; not what stands around it."""
    return (
        detail["exc_type"],
        detail["exc_text"],
        [(f["filename"], f["linenum"], f["funcname"], f["source"], f.get("repeated")) for f in detail["traceback"]],
        [(told(link), link["relation"]) for link in detail.get("chain", [])],
        [told(member) for member in detail.get("group", [])],
    )


def errors(log: bytes) -> list[Any]:
    return [told(e.detail) for e in parse(log) if isinstance(e, Fault) and "traceback" in e.detail]


def metrics(log: bytes) -> list[dict[str, float | None]]:
    return [dict(e.values) for e in parse(log) if isinstance(e, Metrics)]


def crash(rng: Random) -> bytes:
    """A traceback whose every line says where it belongs: no text of several lines, no notes."""
    out = []
    for index in range(rng.randint(1, 3)):
        out += [rng.choice(crashes.JOINED)] if index else []
        out.append("Traceback (most recent call last):\n")
        for _ in range(rng.randint(1, 4)):
            out.append(f'  File "/w/{rng.choice("abc")}.py", line {rng.randint(1, 99)}, in {rng.choice("fgh")}\n')
            out.append(f"    {rng.choice(('x = f(y)', 'return self.call(a)', 'g()'))}\n")
        out.append(
            rng.choice(("ValueError: bad\n", "KeyError: 'k'\n", "KeyboardInterrupt\n", "a.b.Problem: no: x=3\n"))
        )
    return "".join(out).encode()


def each_line(log: bytes, before: bytes, after: bytes = b"") -> bytes:
    return b"".join(before + line + after + b"\n" for line in log.removesuffix(b"\n").split(b"\n"))


class TestErrors:
    @settings(max_examples=150, deadline=None)
    @given(RANDOM)
    def test_lines_around_a_traceback_change_nothing(self, rng: Random) -> None:
        log = crash(rng)
        (alone,) = errors(log)
        before = rng.choice(
            (b"loading the data\n", b"epoch=1 loss=0.5\n", b"\n", b"  5%|# | 5/100\n", b"=" * 20 + b"\n")
        )
        after = rng.choice((b"epoch=2 loss=0.25\n", b"2024-01-02 03:04:05,678 INFO done\n", b"\n\n", b"Killed\n"))
        assert errors(before * 2 + log + after * 2) == [alone]

    @settings(max_examples=100, deadline=None)
    @given(RANDOM)
    def test_a_second_crash_changes_nothing_of_the_first(self, rng: Random) -> None:
        one, two = crash(rng), crash(rng)
        assert errors(one + b"epoch=1 loss=0.5\n" + two) == errors(one) + errors(two)
        assert errors(one + two) == errors(one) + errors(two)

    @pytest.mark.parametrize(
        "prefix", ["[rank0]: ", "2024-01-02 03:04:05,678 ERROR ", "worker-1  | ", "[1,3]<stderr>: "]
    )
    @settings(max_examples=40, deadline=None)
    @given(RANDOM)
    def test_a_prefix_changes_nothing(self, prefix: str, rng: Random) -> None:
        log = crash(rng)
        assert errors(each_line(log, prefix.encode())) == errors(log)

    @pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.stem)
    def test_a_prefix_changes_nothing_of_a_fixture(self, path: Path) -> None:
        log = path.read_bytes()
        assert errors(each_line(log, b"[rank0]: ")) == errors(log) != []

    @settings(max_examples=60, deadline=None)
    @given(RANDOM)
    def test_the_places_of_two_interleaved_ranks_are_kept_apart(self, rng: Random) -> None:
        logs = [crash(rng), crash(rng)]
        columns = [each_line(log, b"[rank%d]: " % i).splitlines(keepends=True) for i, log in enumerate(logs)]
        woven = b""
        while any(columns):
            column = rng.choice([lines for lines in columns if lines])
            woven += column.pop(0)
        assert sorted(errors(woven)) == sorted(errors(logs[0]) + errors(logs[1]))


class TestLook:
    """Of every fixture and of generated logs: how a line is drawn says nothing."""

    @pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
    def test_line_ends(self, path: Path) -> None:
        log = path.read_bytes().replace(b"\r\n", b"\n")
        assert parse(log.replace(b"\n", b"\r\n")) == parse(log) != []

    @pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
    def test_colours(self, path: Path) -> None:
        log = path.read_bytes().replace(b"\r\n", b"\n")
        if b"\r" not in log:
            assert parse(each_line(log, b"\x1b[1;31m", b"\x1b[0m")) == parse(log)

    @settings(max_examples=150, deadline=None)
    @given(RANDOM)
    def test_colours_and_line_ends_of_metrics(self, rng: Random) -> None:
        log = b"".join(grammar.metrics(rng) for _ in range(4))
        plain = metrics(log)
        assert metrics(log.replace(b"\n", b"\r\n")) == plain
        assert metrics(each_line(log, b"\x1b[32m", b"\x1b[0m")) == plain
        assert metrics(log.replace(b" ", b" \x1b[K\x1b[38;5;12m")) == plain


class TestTwice:
    @pytest.mark.parametrize("number", range(len(grammar.METRICS)))
    def test_what_is_said_twice_counts_twice(self, number: int) -> None:
        rng = Random(number)
        log = "".join(grammar.filled(grammar.METRICS[number], rng) + "\n" for _ in range(3)).encode()
        once, twice = ([{k: v for k, v in m.items() if k not in POSITIONS} for m in metrics(x)] for x in (log, log * 2))
        assert twice == once * 2

    def test_most_of_these_lines_show_metrics(self) -> None:
        """Or the test above would prove nothing."""
        shown = sum(bool(metrics(grammar.filled(line, Random(1)).encode() + b"\n")) for line in grammar.METRICS)
        assert shown > 0.8 * len(grammar.METRICS)
