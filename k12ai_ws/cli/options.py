"""Options that several commands share, and what they mean together with the environment."""

import argparse
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

Language = Literal["en", "zh"]  # as in wire.codes, which `--help` need not load
Types = Literal["status", "metrics", "progress", "log", "error", "info"]
EVENT_TYPES: tuple[str, ...] = get_args(Types)
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def add_output(parser: argparse.ArgumentParser) -> None:
    """`--json` and `--lang`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument("--lang", choices=("en", "zh"), help="language of the output (default: as LANG says)")


def add_server(parser: argparse.ArgumentParser) -> None:
    """`--server`, and the output options with it."""
    parser.add_argument(
        "--server",
        metavar="URL",
        help="the server's address (default: $K12AI_SERVER_URL, or where `k12ai serve` listens by its settings)",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help="holds the token that the server wants (default: $K12AI_TOKEN, or ~/.config/k12ai/token); - reads it from "
        "standard input",
    )
    add_output(parser)


def language(args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Language:
    """The language that `--lang`, or else the locale, asks for."""
    if args.lang is not None:
        chosen: Language = args.lang
        return chosen
    locale = next((v for k in ("LC_ALL", "LC_MESSAGES", "LANG") if (v := environ.get(k))), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def server_address(args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> str:
    """The address that `--server`, the environment or the settings name. Raises CommandFailed for bad settings."""
    if args.server is not None:
        return str(args.server)
    if environ.get("K12AI_SERVER_URL"):
        return environ["K12AI_SERVER_URL"]
    from k12ai_ws.settings import SettingsError, load_settings

    from .exits import CommandFailed

    try:
        server = load_settings().server
    except SettingsError as e:
        raise CommandFailed(str(e)) from e
    # A server that listens everywhere is reached on this machine's loopback.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(server.host, server.host)  # noqa: S104
    scheme = "http" if server.tls_cert is None else "https"
    return f"{scheme}://[{host}]:{server.port}" if ":" in host else f"{scheme}://{host}:{server.port}"


def default_token_file(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_CONFIG_HOME/k12ai/token`, by default `~/.config/k12ai/token`."""
    return Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "k12ai" / "token"


def token(args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> str | None:
    """The token that `--token-file`, the environment or the file in its usual place hold; None where none does.

    It has no option of its own: what stands on a command line, everybody on the machine can read. Raises CommandFailed
    for a file that cannot be read.
    """
    from .exits import CommandFailed

    path: Path | None = args.token_file
    if path is None:
        if environ.get("K12AI_TOKEN"):
            return environ["K12AI_TOKEN"].strip()
        path = default_token_file(environ)
        if not path.is_file():
            return None
    try:
        text = sys.stdin.readline() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise CommandFailed(f"the token in {path} cannot be read: {getattr(e, 'strerror', None) or e}") from e
    if not text.strip():
        raise CommandFailed(f"{path} holds no token: put the one line there that `k12ai token create` printed")
    if str(path) != "-" and path.stat().st_mode & 0o077:
        print(f"{path} can be read by others than you: chmod 600 {path}", file=sys.stderr)
    return text.strip()


def identifier(text: str) -> str:
    """An argparse type: a user or a service_uuid."""
    if not IDENTIFIER.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r}: use 1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or a digit"
        )
    return text


def tcp_port(text: str) -> int:
    """An argparse type: a port to listen on, 0 for any free one."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no TCP port: use 1024 to 65535, or 0 for any free one")
    return int(text)


def event_types(text: str) -> list[str]:
    """An argparse type: one event type, or several with commas."""
    names = text.split(",")
    for name in names:
        if name not in EVENT_TYPES:
            raise argparse.ArgumentTypeError(f"{name!r} is no event type; there are {', '.join(EVENT_TYPES)}")
    return names


def this_user(environ: Mapping[str, str] = os.environ) -> str:
    """The name of whoever calls, as far as it can name the user of a job; else `user`."""
    name = environ.get("K12AI_USER") or environ.get("LOGNAME") or environ.get("USER") or ""
    return name if IDENTIFIER.fullmatch(name) else "user"
