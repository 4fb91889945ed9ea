"""`k12ai parse`: the events that a saved log gives. Needs no server, and starts fast: it loads the log reader alone."""

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .exits import CommandFailed, Exit, UsageError
from .options import add_output, language

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
  k12ai parse --json --batch logs.jsonl
Log lines themselves are not printed. Memory stays small however long the log is."""


def run(args: argparse.Namespace) -> int:
    """Prints the events, while the log is read."""
    from k12ai_ws.logs.pipeline import UnknownPreset

    if (args.file is None) == (args.batch is None):
        raise UsageError("give a FILE (or -), or --batch FILE.jsonl")
    if args.batch is not None and not args.json:
        raise UsageError("--batch prints JSON: give --json too")
    try:
        with _opened(args.file or args.batch) as source:
            if args.batch is not None:
                return _batch(source, args)
            return _events(source, args)
    except UnknownPreset as e:
        raise UsageError(f"--parser: {e}") from e


@contextlib.contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """The file, or stdin, in bytes. Raises CommandFailed."""
    try:
        if file == "-":
            yield sys.stdin.buffer
        else:
            with Path(file).open("rb") as source:
                yield source
    except BrokenPipeError:
        raise
    except OSError as e:
        raise CommandFailed(f"{file}: {e.strerror}") from e


def _events(source: BinaryIO, args: argparse.Namespace) -> int:
    """One log, piece by piece; a pipe's pieces as they come."""
    import orjson

    from k12ai_ws.logs.batch import event_json
    from k12ai_ws.logs.pipeline import Pipeline
    from k12ai_ws.wire.bodies import LogEvent, LogLines

    from .lines import event_lines
    from .words import Words

    tongue = language(args)
    words = Words(tongue)
    pipeline = Pipeline(args.parser or ["auto"], language=tongue)

    def show(events: list[LogEvent]) -> None:
        shown = [event for event in events if not isinstance(event, LogLines)]
        for event in shown:
            if args.json:
                sys.stdout.write(orjson.dumps(event_json(event, tongue)).decode() + "\n")
            else:
                sys.stdout.writelines(line + "\n" for line in event_lines(event.type, event.body(tongue), words))
        if shown:
            sys.stdout.flush()

    read = source.read1 if isinstance(source, io.BufferedReader) else source.read
    while data := read(CHUNK_BYTES):
        show(pipeline.feed(data))
    show(pipeline.close(at_ms=0))
    return Exit.OK


def _batch(source: BinaryIO, args: argparse.Namespace) -> int:
    """Many small logs, one per line. Raises CommandFailed for a line that is none."""
    import orjson

    from k12ai_ws.logs.batch import event_json, parse

    tongue = language(args)
    number = 0
    while line := source.readline(MAX_RECORD_BYTES + 1):
        number += 1
        if len(line) > MAX_RECORD_BYTES:
            raise CommandFailed(f"{args.batch}, line {number}: longer than {MAX_RECORD_BYTES} bytes")
        try:
            record = json.loads(line)  # not orjson: a saved log may hold half a surrogate pair
        except ValueError as e:
            raise CommandFailed(f"{args.batch}, line {number}: this is no JSON: {e}") from e
        log = record.get("log") if isinstance(record, dict) else None
        if not isinstance(log, str):
            raise CommandFailed(f'{args.batch}, line {number}: it must be an object like {{"log": "text"}}')
        events = [
            event_json(event, tongue)
            for event in parse(log.encode("utf-8", "surrogatepass"), args.parser or ["auto"], tongue)
        ]
        sys.stdout.write(orjson.dumps(events).decode() + "\n")
    return Exit.OK
