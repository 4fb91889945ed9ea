"""`k12ai prune`: removes what the settings no longer keep, at once, or says what would go."""

import argparse
import sys
import time
from typing import TYPE_CHECKING

from .data_folder import add_data_dir, settings_of
from .exits import CommandFailed, Exit, UsageError

if TYPE_CHECKING:
    from socket import socket

    from k12ai_ws.retention.keeper import Sweep
    from k12ai_ws.settings import Settings

    from .output import Output

SAY_S = 10.0
"""After so long it is said that a server's outcome is still waited for."""


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    parser.add_argument("--dry-run", action="store_true", help="say what would go; change nothing")
    parser.add_argument(
        "--compact", action="store_true", help="then write the store anew, without free pages (the server is stopped)"
    )
    add_data_dir(parser)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai prune --dry-run --config /etc/k12ai/k12ai.toml
  k12ai prune --data-dir ./data
  k12ai prune --compact
A server that runs on the data folder prunes by itself every retention.interval_s seconds. Without --dry-run it is asked
to do so now, by its own settings; where none runs, this command does it."""


def run(args: argparse.Namespace) -> int:
    """Prints what went, or would go."""
    from k12ai_ws.retaining import PruneError
    from k12ai_ws.store.place import DATABASE

    from .output import Output

    if args.dry_run and args.compact:
        raise UsageError("--dry-run changes nothing, so there is nothing to compact: leave one of them out")
    settings = settings_of(args)
    if not (settings.data_dir / DATABASE).is_file():
        raise CommandFailed(f"no server has stored anything in {settings.data_dir}: name its folder with --data-dir")
    output = Output.of(args)
    try:
        return _dry_run(settings, output) if args.dry_run else _prune(settings, output, compact=args.compact)
    except PruneError as e:
        raise CommandFailed(str(e)) from e


def _dry_run(settings: "Settings", output: "Output") -> int:
    from k12ai_ws.retaining import outlook

    from .stats import size

    found = outlook(settings, _now_ms()).summary()
    if output.json:
        output.data({"dry_run": True, **found})
        return Exit.OK
    rows = [
        (output.words(f"prune_{name}"), went["count"], size(went["bytes"]), went["jobs"])
        for name, went in found.items()
        if went["count"] or went["jobs"]
    ]
    if rows:
        output.table([output.words(w) for w in ("prune_what", "prune_count", "prune_bytes", "prune_of")], rows)
    else:
        output.line(output.words("prune_nothing"))
    return Exit.OK


def _prune(settings: "Settings", output: "Output", *, compact: bool) -> int:
    import asyncio

    from k12ai_ws.retaining import ask

    if (asked := ask(settings.data_dir)) is not None:
        if compact:
            asked.close()
            raise CommandFailed("a server runs on this data folder: stop it first, --compact writes its store anew")
        sweep, freed = _heard(asked), None
    else:
        sweep, freed = asyncio.run(_alone(settings, compact=compact))
    from dataclasses import asdict

    from .stats import size

    if output.json:
        output.data(asdict(sweep) | ({} if freed is None else {"compacted_bytes": freed}))
    else:
        output.line(
            output.words(
                "pruned", events=sweep.events, bytes=size(sweep.bytes), jobs=sweep.jobs, files=sweep.raw_logs,
                raw=size(sweep.raw_bytes),
            )
        )  # fmt: skip
        if freed is not None:
            output.line(output.words("compacted", bytes=size(freed)))
    if sweep.error is not None:
        raise CommandFailed(sweep.error)
    return Exit.OK


async def _alone(settings: "Settings", *, compact: bool) -> "tuple[Sweep, int | None]":
    """No server runs: this process takes its place for the while. Raises CommandFailed, PruneError."""
    import asyncio
    import os

    from k12ai_ws.retaining import compacted, prune
    from k12ai_ws.starting import StartError, take_data_dir

    try:
        lock = take_data_dir(settings.data_dir)
    except StartError as e:
        raise CommandFailed(str(e)) from e
    try:
        sweep = await prune(settings, _now_ms)
        return sweep, await asyncio.to_thread(compacted, settings.data_dir) if compact else None
    finally:
        os.close(lock)


def _heard(asked: "socket") -> "Sweep":
    """What the server removed, once it has looked. Says now and then that it is waited for. Raises PruneError."""
    from k12ai_ws.retaining import heard

    began = time.monotonic()
    with asked:
        while True:
            try:
                return heard(asked, SAY_S)
            except TimeoutError:
                print(f"the server is looking, for {time.monotonic() - began:.0f} s so far", file=sys.stderr)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
