"""The file of tokens, users and sessions: SQLite, private to the server's user, beside the log and not in it.

The command and the server open the same file, at the same time too. Every function here may block.
"""

import contextlib
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from .book import Book, Session, Token, User
from .private import make_private

NAME = "access.sqlite3"
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


class AccessError(Exception):
    """The access file cannot be used, or what was asked of it is not so; the text says what to do."""


class AccessFile:
    """An open access file; used by one thread at a time. `close` it."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Opens the file, and makes it where there is none, unless it is only to be read. Raises AccessError."""
        self.path = path
        self._read_only = read_only
        self._open()

    def _open(self) -> None:
        path = self.path
        try:
            if not self._read_only:
                make_private(path)
            where = f"{path.absolute().as_uri()}?mode={'ro' if self._read_only else 'rwc'}"
            self._db = sqlite3.connect(where, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
        except (OSError, sqlite3.Error) as e:
            raise AccessError(f"the access file {path} cannot be opened: {e}") from e
        try:
            if self._read_only:
                self._refuse_version()
            else:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._prepare()
            found = path.stat()
            self._identity = (found.st_dev, found.st_ino)
            self._seen = self._data_version()
        except (OSError, sqlite3.Error) as e:
            self._db.close()
            text = f"the access file {path} cannot be used: {e}"
            raise AccessError(f"{text}; put a copy of it back, or move it away and make new tokens") from e
        except AccessError:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if self._refuse_version() == 0:
                for statement in TABLES.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {VERSION}")
            self._db.execute("COMMIT")
        except BaseException:
            self._undo()
            raise

    def _refuse_version(self) -> int:
        """The file's version; 0: nothing is in it yet. Raises AccessError for one that is not known."""
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version not in (0, VERSION):
            raise AccessError(
                f"{self.path} has version {version}, and this program knows version {VERSION}: "
                "use the program that wrote it"
            )
        return version

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
            found = self.path.stat()
            if (found.st_dev, found.st_ino) != self._identity:
                old = self._db
                self._open()
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
                if self._refuse_version() == 0:
                    return Book(False, {}, {}, {})
                every = self._db.execute("SELECT * FROM tokens ORDER BY created_ms, id")
                tokens = {row[0]: Token(*row) for row in every}
                users = {r[0]: User(r[0], r[1], bool(r[2]), r[3]) for r in self._db.execute("SELECT * FROM users")}
                sessions = {r[0]: Session(*r) for r in self._db.execute("SELECT * FROM sessions")}
                locked = self._db.execute("SELECT 1 FROM meta WHERE key = 'locked'").fetchone() is not None
            finally:
                self._undo()
        except (sqlite3.Error, TypeError) as e:
            raise AccessError(f"the access file {self.path} cannot be read: {e}") from e
        return Book(locked or bool(tokens or users), tokens, users, sessions)

    # ---- changes; each is one transaction, and raises AccessError

    def add_token(self, token: Token) -> None:
        """Keeps a new token; from now on the server wants one."""
        values = (token.id, token.digest, token.user, token.note, token.created_ms, token.expires_ms, None, None)
        self._require_room("tokens", MOST_TOKENS)
        self._write(
            ("INSERT INTO meta VALUES ('locked', 'yes') ON CONFLICT DO NOTHING", ()),
            ("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values),
        )

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
