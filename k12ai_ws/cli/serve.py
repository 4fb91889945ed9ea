"""`k12ai serve`: the server, until a signal ends it."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .exits import CommandFailed, Exit
from .options import tcp_port

if TYPE_CHECKING:
    from k12ai_ws.app import Server

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("auto", "console", "json")
STDERR = 2


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    parser.add_argument("--host", metavar="H", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=tcp_port, metavar="P", help="TCP port; 0 takes any free one (default: 8170)")
    parser.add_argument(
        "--data-dir", type=Path, metavar="D", help="everything the server keeps (default: ~/.local/share/k12ai)"
    )
    parser.add_argument("--launcher", choices=("auto", "docker", "process"), help="where jobs run (default: auto)")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings in TOML; options and K12AI_* variables win"
    )
    parser.add_argument("--log-level", choices=LEVELS, help="the least that is written on stderr (default: info)")
    parser.add_argument(
        "--log-format", choices=FORMATS, help="of stderr (default: auto, which is console at a terminal, else json)"
    )
    parser.add_argument("--json", action="store_true", help="print the line that says it is ready as JSON")


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai serve
  k12ai serve --port 0 --data-dir ./data --json
  k12ai serve --config k12ai.toml --host 0.0.0.0     needs tokens and TLS: docs/security.md
Prints one line when it is ready. Ctrl-C or SIGTERM ends it in good order: running jobs go on, and the next server
takes them up again. A second one ends it at once."""


def run(args: argparse.Namespace) -> int:
    """Serves until SIGINT or SIGTERM."""
    import asyncio

    from k12ai_ws.access.serverlog import clean
    from k12ai_ws.app import Server, StartError
    from k12ai_ws.serverlog import install
    from k12ai_ws.settings import SettingsError, load_settings

    from .beginnings import raise_open_files, tidy_after_failure

    given: dict[str, dict[str, Any]] = {
        "server": {"host": args.host, "port": args.port},
        "jobs": {"launcher": args.launcher},
        "log": {"level": args.log_level, "format": args.log_format},
    }
    overrides: dict[str, Any] = {s: {k: v for k, v in o.items() if v is not None} for s, o in given.items()}
    overrides["data_dir"] = args.data_dir
    raise_open_files()
    try:
        settings = load_settings(args.config, {k: v for k, v in overrides.items() if v})
        log = install(STDERR, form=settings.log.format, level=settings.log.level, redact=clean)
        try:
            with tidy_after_failure(settings.data_dir, (SettingsError, StartError)):
                asyncio.run(serve(Server(settings, log_dropped=lambda: log.dropped), as_json=args.json))
        finally:
            log.close()
    except (SettingsError, StartError) as e:
        raise CommandFailed(str(e)) from e
    return Exit.OK


async def serve(server: "Server", *, as_json: bool) -> None:
    """Starts, says so on one line, waits for a signal, closes. A second signal ends it at once."""
    import asyncio
    import logging
    import signal

    import orjson

    from .notify import notify

    log = logging.getLogger(__name__)

    await server.start()
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def ask(number: signal.Signals) -> None:
        if asked.is_set():
            log.warning("a second %s: the server ends at once; its jobs go on", number.name)
            logging.shutdown()
            os._exit(128 + number)
        log.info("%s: the server ends; its jobs go on", number.name)
        notify("STOPPING=1")
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask, number)
    try:
        if as_json:
            ready = {"ready": True, "address": server.address, "launcher": server.launcher, "pid": os.getpid()}
            print(orjson.dumps(ready).decode(), flush=True)
        else:
            note = f"launcher {server.launcher}; Ctrl-C stops the server, jobs go on"
            print(f"k12ai is ready at {server.address} ({note})", flush=True)
        notify("READY=1")
        await asked.wait()
    finally:
        await server.close()
