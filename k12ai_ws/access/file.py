"""The file of tokens, users and sessions: SQLite, private to the server's user, beside the log and not in it.

The command and the server open the same file, at the same time too. Every function here may block.
"""

import contextlib
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from .book import Book, Session, Token, User
from .private import identity_of, make_private, sync

NAME = "access.sqlite3"
LOCKED = "access.locked"
"""Stands beside it from the first token or user on."""
VERSION = 1
BUSY_S = 10.0
MOST_TOKENS = 10_000
MOST_USERS = 10_000

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE tokens (
    id TEXT PRIMARY KEY, digest BLOB NOT NULL, user TEXT, note TEXT NOT NULL, created_ms INTEGER NOT NULL,
    expires_ms INTEGER, revoked_ms INTEGER, used_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE users (
    name TEXT PRIMARY KEY, hash TEXT NOT NULL, admin INTEGER NOT NULL, changed_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, digest BLOB NOT NULL, user TEXT, admin INTEGER NOT NULL, token_id TEXT, user_since INTEGER,
    created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


MEND = "put a copy of it back, or move it away and make new tokens"


class AccessError(Exception):
    """The access file cannot be used, or what was asked of it is not so; the text says what to do."""


class AccessFile:
    """An open access file; used by one thread at a time. `close` it."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Opens the file, and makes it where there is none, unless it is only to be read. Raises AccessError."""
        self.path = path
        self._lock = path.with_name(LOCKED)
        self._read_only = read_only
        self._open()

    def _open(self) -> None:
        path, mode = self.path, "rw"
        try:
            if self._read_only:
                mode = "ro"
            else:
                if not os.path.lexists(path):
                    self._refuse_loss(is_locked=False)
                    _make(path)
                make_private(path)
            if path.stat().st_size == 0:
                raise AccessError(f"the access file {path} is empty: what was in it is lost; {MEND}")
            uri = f"{path.absolute().as_uri()}?mode={mode}"
            self._db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
        except (OSError, sqlite3.Error) as e:
            raise AccessError(f"the access file {path} cannot be opened: {e}") from e
        try:
            if not self._read_only:
                self._db.execute("PRAGMA journal_mode = DELETE")  # all is in this one file, and lost with no other
                self._db.execute("PRAGMA synchronous = FULL")
            self._refuse_version()
            identity = identity_of(path)
            self._seen = self._data_version()
            self._identity = identity
        except (OSError, sqlite3.Error) as e:
            self._db.close()
            raise AccessError(f"the access file {path} cannot be used: {e}; {MEND}") from e
        except AccessError:
            self._db.close()
            raise

    def _refuse_version(self) -> None:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version != VERSION:
            raise AccessError(
                f"{self.path} has version {version}, and this program knows version {VERSION}: "
                "use the program that wrote it"
            )

    def _refuse_loss(self, *, is_locked: bool) -> None:
        """Where a token or user was made once, a file that knows of none lets nobody in: it is not the one."""
        if not is_locked and self._lock.exists():
            raise AccessError(
                f"tokens or users were made in {self.path.parent}, and the access file {self.path} has none: put a "
                f"copy of it back; to begin anew, with nobody in it, remove {self._lock.name} too"
            )

    def _note_lock(self) -> None:
        """From now on a file without tokens and users is a loss."""
        try:
            file = os.open(self._lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.write(file, b"Tokens or users were made here: without the file that has them nobody is let in.\n")
            finally:
                os.close(file)
        except FileExistsError:
            pass
        except OSError as e:
            raise AccessError(f"{self._lock} cannot be written: {e}") from e

    def _undo(self) -> None:
        """Ends a transaction that failed; what failed may have ended it, as a full disk does."""
        if self._db.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # what failed first is what is told
                self._db.execute("ROLLBACK")

    def close(self) -> None:
        """Closes it."""
        self._db.close()

    def changed(self) -> bool:
        """Whether somebody else has written since the last call, or put another file in its place. Raises AccessError
        where no file is there to be read: what was read last then still holds.
        """
        try:
            if identity_of(self.path) != self._identity:
                old = self._db
                try:
                    self._open()
                except AccessError:
                    self._db = old  # what was there before may come back
                    raise
                old.close()
                return True
            seen, self._seen = self._seen, self._data_version()
            return seen != self._seen
        except (OSError, sqlite3.Error) as e:
            raise AccessError(f"the access file {self.path} cannot be read: {e}") from e

    def _data_version(self) -> int:
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def load(self) -> Book:
        """All of it. Raises AccessError."""
        try:
            self._db.execute("BEGIN")
            try:
                every = self._db.execute("SELECT * FROM tokens ORDER BY created_ms, id")
                tokens = {row[0]: Token(*row) for row in every}
                users = {r[0]: User(r[0], r[1], bool(r[2]), r[3]) for r in self._db.execute("SELECT * FROM users")}
                sessions = {r[0]: Session(*r) for r in self._db.execute("SELECT * FROM sessions")}
                locked = self._db.execute("SELECT 1 FROM meta WHERE key = 'locked'").fetchone() is not None
            finally:
                self._undo()
        except (sqlite3.Error, TypeError) as e:
            raise AccessError(f"the access file {self.path} cannot be read: {e}") from e
        book = Book(locked or bool(tokens or users), tokens, users, sessions)
        self._refuse_loss(is_locked=book.locked)
        if book.locked and not self._read_only:
            self._note_lock()
        return book

    # ---- changes; each is one transaction, and raises AccessError

    def add_token(self, token: Token) -> None:
        """Keeps a new token; from now on the server wants one."""
        values = (token.id, token.digest, token.user, token.note, token.created_ms, token.expires_ms, None, None)
        self._require_room("tokens", MOST_TOKENS)
        self._write(
            ("INSERT INTO meta VALUES ('locked', 'yes') ON CONFLICT DO NOTHING", ()),
            ("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values),
        )
        self._note_lock()

    def revoke_token(self, token_id: str, now_ms: int) -> bool:
        """Whether there was such a token that was not revoked yet. Its row stays, to be listed."""
        return self._write(
            ("UPDATE tokens SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL", (now_ms, token_id)),
            ("DELETE FROM sessions WHERE token_id = ?", (token_id,)),
        )

    def set_used(self, used: Mapping[str, int]) -> None:
        """When tokens were last used."""
        statement = "UPDATE tokens SET used_ms = ? WHERE id = ? AND COALESCE(used_ms, 0) < ?"
        self._write(*((statement, (at_ms, token_id, at_ms)) for token_id, at_ms in used.items()))

    def put_user(self, user: User) -> None:
        """Adds a user, or gives one another password, which ends that user's sessions."""
        self._require_room("users", MOST_USERS)
        self._write(
            ("INSERT INTO meta VALUES ('locked', 'yes') ON CONFLICT DO NOTHING", ()),
            (
                "INSERT INTO users VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, "
                "admin = excluded.admin, changed_ms = excluded.changed_ms",
                (user.name, user.hash, int(user.admin), user.changed_ms),
            ),
            ("DELETE FROM sessions WHERE user = ? AND token_id IS NULL", (user.name,)),
        )
        self._note_lock()

    def remove_user(self, name: str) -> bool:
        """Whether there was such a user. The user's sessions end, and its jobs stay."""
        return self._write(
            ("DELETE FROM users WHERE name = ?", (name,)),
            ("DELETE FROM sessions WHERE user = ? AND token_id IS NULL", (name,)),
        )

    def add_session(self, session: Session, most: int) -> None:
        """Keeps a new session; beyond `most` in all, or a quarter of it of one token or user, the oldest ones end, and
        what has expired goes. So nobody's logins end everybody's.
        """
        values = (
            session.id, session.digest, session.user, int(session.admin), session.token_id, session.user_since,
            session.created_ms, session.expires_ms,
        )  # fmt: skip
        self._write(
            ("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values),
            ("DELETE FROM sessions WHERE expires_ms <= ?", (session.created_ms,)),
            (
                "DELETE FROM sessions WHERE user IS ?1 AND token_id IS ?2 AND id NOT IN (SELECT id FROM sessions"
                " WHERE user IS ?1 AND token_id IS ?2 ORDER BY created_ms DESC, id LIMIT ?3)",
                (session.user, session.token_id, max(1, most // 4)),
            ),
            (
                "DELETE FROM sessions WHERE id NOT IN (SELECT id FROM sessions ORDER BY created_ms DESC, id LIMIT ?)",
                (most,),
            ),
        )

    def remove_session(self, session_id: str) -> bool:
        """Whether there was such a session."""
        return self._write(("DELETE FROM sessions WHERE id = ?", (session_id,)))

    def _require_room(self, table: str, most: int) -> None:
        count = self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - a name of ours
        if count >= most:
            raise AccessError(f"{self.path} holds {count} {table}, and that is the most")

    def _write(self, *statements: tuple[str, tuple[object, ...]]) -> bool:
        """Whether the first statement changed anything."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                counts = [self._db.execute(*statement).rowcount for statement in statements]
                self._db.execute("COMMIT")
            except BaseException:
                self._undo()
                raise
        except sqlite3.Error as e:
            raise AccessError(f"the access file {self.path} cannot be written: {e}; nothing was changed") from e
        return bool(counts) and counts[0] > 0


def _make(path: Path) -> None:
    """A new file appears whole, so that an empty one is always a loss. Raises OSError, sqlite3.Error."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    try:
        make_private(new)
        with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.execute("BEGIN")
            for statement in TABLES.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute("COMMIT")
        with contextlib.suppress(FileExistsError):  # another process was first: its file is taken
            os.link(new, path)
    finally:
        new.unlink(missing_ok=True)
    sync(path.parent)
