"""`k12ai user`: users who log in with a password. It works on the data folder, whether a server runs or not."""

import argparse
import sys

from .data_folder import add_data_dir, settings_of
from .exits import CommandFailed, Exit
from .keys import access_file, note, utc
from .options import identifier

SHORTEST, LONGEST = 8, 1024


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="add a user, or give one a new password", allow_abbrev=False)
    add.add_argument("name", metavar="NAME", type=identifier)
    add.add_argument("--admin", action="store_true", help="may see and touch everything")
    listing = actions.add_parser("list", help="list users", allow_abbrev=False)
    remove = actions.add_parser("remove", help="remove a user; the jobs stay", allow_abbrev=False)
    remove.add_argument("name", metavar="NAME", type=identifier)
    for action in (add, listing, remove):
        add_data_dir(action)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai user add ann                     asks for the password, twice
  k12ai user add ann < password.txt      takes it from the first line
  k12ai user list
  k12ai user remove ann
From the first user on, the server lets nobody in unknown, on loopback too (access.mode)."""


def run(args: argparse.Namespace) -> int:
    """Adds, lists or removes."""
    import time

    from k12ai_ws.access.book import User
    from k12ai_ws.access.passwords import hash_password

    from .output import Output

    settings, output = settings_of(args), Output.of(args)

    def add() -> int:
        user = User(args.name, hash_password(_password()), args.admin, time.time_ns() // 1_000_000)
        with access_file(settings, make=True) as file:
            file.put_user(user)
        note(settings, "user.add", user=args.name, admin=args.admin)
        output.data({"user": args.name}) if output.json else output.line(output.words("user_made", name=args.name))
        return Exit.OK

    def listing() -> int:
        with access_file(settings) as file:
            users = sorted(file.load().users.values(), key=lambda user: user.name)
        if output.json:
            output.data({"users": [{"name": u.name, "admin": u.admin, "changed": u.changed_ms} for u in users]})
        elif not users:
            output.line(output.words("no_users"))
        else:
            rows = [[u.name, output.words("admin") if u.admin else "", utc(u.changed_ms)] for u in users]
            output.table([output.words(name) for name in ("user", "admin", "changed")], rows)
        return Exit.OK

    def remove() -> int:
        with access_file(settings) as file:
            if not file.remove_user(args.name):
                raise CommandFailed(f"there is no password user {args.name!r}: `k12ai user list` shows them")
        note(settings, "user.remove", user=args.name)
        output.data({"removed": args.name}) if output.json else output.line(
            output.words("user_removed", name=args.name)
        )
        return Exit.OK

    return {"add": add, "list": listing, "remove": remove}[args.action]()


def _password() -> str:
    """Asked for where a person sits there, else the first line of standard input. Raises CommandFailed."""
    if sys.stdin.isatty():
        from getpass import getpass

        password = getpass("password: ")
        if password != getpass("again: "):
            raise CommandFailed("the two passwords differ; nothing was changed")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not SHORTEST <= len(password) <= LONGEST:
        raise CommandFailed(f"a password has {SHORTEST} to {LONGEST} characters; nothing was changed")
    return password
