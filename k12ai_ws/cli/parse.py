"""`k12ai parse`: the events that a saved log gives. Needs no server, and starts fast: it loads the log reader alone."""

import argparse
import contextlib
import io
import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .exits import CommandFailed, Exit, UsageError
from .options import add_output, language
from .rules import add_rules, read_rules, rules_parser, trial_lines, trial_of

if TYPE_CHECKING:
    from k12ai_ws.logs.rules import Rule

CHUNK_BYTES = 64 << 10
MAX_RECORD_BYTES = 64 << 20
"""Longest line of a `--batch` file; a record is one log, read whole."""


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    parser.add_argument("file", metavar="FILE", nargs="?", help="the log; `-` reads from stdin")
    parser.add_argument(
        "--parser",
        metavar="NAME",
        action="append",
        help="read metrics with this preset (may be given again; default: auto)",
    )
    add_rules(parser, "read with this rule too, before the preset")
    parser.add_argument(
        "--batch",
        metavar="FILE.jsonl",
        help='with --json: many logs, one {"log": TEXT} per line; prints one JSON array of events per line',
    )
    add_output(parser)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai parse train.log
  python train.py 2>&1 | k12ai parse -
  k12ai parse --json --parser keyvalue train.log | jq -c .metrics
  k12ai parse --rule 'reward (?P<reward>\\S+) after (?P<step>\\d+) steps' train.log
  k12ai parse --json --batch logs.jsonl
Log lines themselves are not printed. Memory stays small however long the log is."""


def run(args: argparse.Namespace) -> int:
    """Prints the events, while the log is read."""
    from k12ai_ws.logs.pipeline import UnknownPreset

    if bool(args.file) == (args.batch is not None):
        raise UsageError("give a FILE (or -), or --batch FILE.jsonl")
    if args.batch is not None and not args.json:
        raise UsageError("--batch prints JSON: give --json too")
    if sys.stdout is None:  # closed by whoever called
        raise CommandFailed("standard output is closed")
    rules = read_rules(args)
    file = args.file if args.batch is None else args.batch
    try:
        with _opened(file) as source:
            return _events(source, args, rules) if args.batch is None else _batch(source, args, rules)
    except UnknownPreset as e:
        raise UsageError(f"--parser: {e}") from e


@contextlib.contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """The file, or stdin, in bytes. Raises CommandFailed."""
    if file == "-":
        if sys.stdin is None:
            raise CommandFailed("standard input is closed: there is nothing to read")
        yield sys.stdin.buffer
        return
    with _blaming(file):
        source = Path(file).open("rb")  # noqa: SIM115 - closed below; what is read and written is blamed apart
    with source:
        yield source


@contextlib.contextmanager
def _blaming(what: str) -> Iterator[None]:
    """Names what the system could not do something with. Raises CommandFailed."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as e:  # ValueError: a name with a NUL in it
        raise CommandFailed(f"{what}: {e.strerror if isinstance(e, OSError) else e}") from e


def _write(lines: Iterable[str]) -> None:
    """Prints lines at once. Raises CommandFailed."""
    with _blaming("standard output"):
        sys.stdout.writelines(line + "\n" for line in lines)
        sys.stdout.flush()


def _presets(args: argparse.Namespace) -> list[str]:
    return args.parser or ["auto"]


def _events(source: BinaryIO, args: argparse.Namespace, rules: "list[Rule]") -> int:
    """One log, piece by piece; a pipe's pieces as they come."""
    import orjson

    from k12ai_ws.logs.batch import event_json
    from k12ai_ws.logs.pipeline import Pipeline
    from k12ai_ws.logs.presets import preset
    from k12ai_ws.wire.bodies import LogEvent, LogLines

    from .lines import event_lines
    from .words import Words

    tongue = language(args)
    words = Words(tongue)
    reader = preset(*_presets(args))
    trial = trial_of(rules, tongue) if rules and not args.json else None
    pipeline = Pipeline([*(rules_parser(rules, tongue) if trial is None else [trial]), reader], language=tongue)

    def show(events: list[LogEvent]) -> None:
        lines: list[str] = []
        for event in events:
            if isinstance(event, LogLines):
                continue
            if args.json:
                lines.append(orjson.dumps(event_json(event, tongue)).decode())
            else:
                lines += event_lines(event.type, event.body(tongue), words)
        if lines:
            _write(lines)

    read = source.read1 if isinstance(source, io.BufferedReader) else source.read
    while True:
        with _blaming(args.file):
            data = read(CHUNK_BYTES)
        if not data:
            break
        show(pipeline.feed(data))
    show(pipeline.close(at_ms=0))
    if not (args.json or args.parser) and reader.framework is not None:
        _write([words("framework", name=reader.framework)])
    if trial is not None:
        _write(trial_lines(trial, words))
    return Exit.OK


def _batch(source: BinaryIO, args: argparse.Namespace, rules: "list[Rule]") -> int:
    """Many small logs, one per line. Raises CommandFailed for a line that is none."""
    import orjson

    from k12ai_ws.logs.batch import event_json, parse

    tongue = language(args)
    for number in itertools.count(1):
        with _blaming(args.batch):
            line = source.readline(MAX_RECORD_BYTES + 1)
        if not line:
            break
        log = _log_of(line, f"{args.batch}, line {number}").encode("utf-8", "surrogatepass")
        events = parse(log, [*rules_parser(rules, tongue), *_presets(args)], tongue)
        _write([orjson.dumps([event_json(event, tongue) for event in events]).decode()])
    return Exit.OK


def _log_of(line: bytes, where: str) -> str:
    """The log of one record of a batch. Raises CommandFailed."""
    if len(line) > MAX_RECORD_BYTES:
        raise CommandFailed(f"{where}: longer than {MAX_RECORD_BYTES} bytes")
    try:
        record = json.loads(line)  # not orjson: a saved log may hold half a surrogate pair
    except (ValueError, RecursionError) as e:
        raise CommandFailed(f"{where}: this is no JSON: {e}") from e
    log = record.get("log") if isinstance(record, dict) else None
    if not isinstance(log, str):
        raise CommandFailed(f'{where}: it must be an object like {{"log": "text"}}')
    return log
