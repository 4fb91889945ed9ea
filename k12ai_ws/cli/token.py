"""`k12ai token`: who may call the server. It works on the data folder, whether a server runs or not."""

import argparse
import re

from .data_folder import add_data_dir, settings_of
from .exits import CommandFailed, Exit
from .keys import access_file, note, utc
from .options import identifier

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
MAX_NOTE = 200


def span(text: str) -> int:
    """An argparse type: a time span, in milliseconds."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhdw])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: give a time such as 30d, 12h, 90m or 52w (999999 at most of each)")
    return int(found[1]) * UNITS[found[2]] * 1000


def words(text: str) -> str:
    """An argparse type: a note on one line."""
    if len(text) > MAX_NOTE or not text.isprintable():
        raise argparse.ArgumentTypeError(f"a note is one line of up to {MAX_NOTE} characters")
    return text


def configure(parser: argparse.ArgumentParser, _command: str) -> None:
    """The command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a token; it is shown once", allow_abbrev=False)
    whose = create.add_mutually_exclusive_group(required=True)
    whose.add_argument("--user", type=identifier, metavar="NAME", help="for this user's jobs alone")
    whose.add_argument("--admin", action="store_true", help="for everything")
    create.add_argument("--expires", type=span, metavar="TIME", help="good for so long: 30d, 12h (default: for ever)")
    create.add_argument("--note", type=words, default="", help="what it is for")
    listing = actions.add_parser("list", help="list tokens", allow_abbrev=False)
    listing.add_argument("--all", action="store_true", help="revoked and expired ones too")
    revoke = actions.add_parser("revoke", help="end a token; a running server heeds it at once", allow_abbrev=False)
    revoke.add_argument("id", metavar="ID", help="as `k12ai token list` shows it")
    for action in (create, listing, revoke):
        add_data_dir(action)


def examples(_command: str) -> str:
    """For `--help`."""
    return """\
examples:
  k12ai token create --admin --note "the school's front end"
  k12ai token create --user ann --expires 30d
  k12ai token list
  k12ai token revoke 4f7k2m9q1x0z
From the first token on, the server lets nobody in without one, on loopback too (access.mode)."""


def run(args: argparse.Namespace) -> int:
    """Makes, lists or revokes."""
    import time

    from k12ai_ws.access.book import Token
    from k12ai_ws.access.tokens import TOKEN, digest, new_id, new_secret, token_text

    from .output import Output

    settings, output = settings_of(args), Output.of(args)
    now_ms = time.time_ns() // 1_000_000

    def create() -> int:
        token_id, secret = new_id(), new_secret()
        expires_ms = None if args.expires is None else now_ms + args.expires
        token = Token(token_id, digest(secret), args.user, args.note, now_ms, expires_ms)
        with access_file(settings, make=True) as file:
            file.add_token(token)
        show(token, token_text(token_id, secret))  # at once: whatever fails from here on, it works already
        note(
            settings, "token.create", token=token_id, user=args.user, admin=args.admin, expires=utc(expires_ms) or None
        )
        return Exit.OK

    def show(token: Token, text: str) -> None:
        if output.json:
            output.data(token.to_json(now_ms) | {"token": text})
            return
        until = output.words("token_until", at=utc(token.expires_ms)) if token.expires_ms is not None else ""
        output.note(output.words("token_made", id=token.id, whose=args.user or output.words("an_admin"), until=until))
        output.line(text)

    def listing() -> int:
        with access_file(settings) as file:
            every = list(file.load().tokens.values())
        tokens = [t for t in every if args.all or t.is_good(now_ms)]
        if output.json:
            output.data({"tokens": [token.to_json(now_ms) for token in tokens]})
        elif not tokens:
            output.line(output.words("no_tokens"))
        else:
            names = ("token", "user", "state", "created", "expires", "last_used", "note")
            output.table([output.words(name) for name in names], [row(token) for token in tokens])
        if len(tokens) < len(every):
            output.note(output.words("tokens_hidden", count=len(every) - len(tokens)))
        return Exit.OK

    def row(token: Token) -> list[object]:
        whose = token.user or output.words("an_admin")
        times = (utc(token.created_ms), utc(token.expires_ms), utc(token.used_ms))
        return [token.id, whose, token.state(now_ms), *times, token.note]

    def revoke() -> int:
        whole = TOKEN.fullmatch(args.id)
        token_id = whole[1] if whole else args.id
        with access_file(settings) as file:
            if not file.revoke_token(token_id, now_ms):
                raise CommandFailed(
                    f"there is no token {token_id!r} that is not revoked: `k12ai token list` shows them"
                )
        note(settings, "token.revoke", token=token_id)
        output.data({"revoked": token_id}) if output.json else output.line(output.words("token_revoked", id=token_id))
        return Exit.OK

    return {"create": create, "list": listing, "revoke": revoke}[args.action]()
