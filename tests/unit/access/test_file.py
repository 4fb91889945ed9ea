"""The access file where the disk is full, and where another one stands in its place."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from k12ai_ws.access.book import Token
from k12ai_ws.access.file import AccessError, AccessFile

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from k12ai_ws.access.book import Token
from k12ai_ws.access.file import AccessError, AccessFile

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
file = AccessFile(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
try:
    file.add_token(Token("x" * 12, b"d", "ann", "n" * 9000, 1, None))
except AccessError as e:
    print(e)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(file.load().locked)
file.close()
"""


def test_what_failed_is_told_and_not_what_followed_from_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "access.sqlite3")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    said, locked = done.stdout.splitlines()
    assert "cannot be written" in said
    assert "disk" in said
    assert "rollback" not in said
    assert locked == "False"


def test_a_broken_file_in_its_place_is_told_and_the_right_one_is_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite3"
    with closing(AccessFile(path)) as file:
        with closing(AccessFile(path)) as other:
            other.add_token(Token("one", b"x", None, "", 1))
        assert file.changed()
        aside = path.rename(tmp_path / "aside")
        for content in (b"no database at all" * 500, b""):
            path.write_bytes(content)
            with pytest.raises(AccessError, match=r"cannot be used|is empty"):
                file.changed()
        aside.rename(path)
        with closing(AccessFile(path)) as command:
            command.revoke_token("one", 5)
        assert file.changed()
        assert file.load().tokens["one"].revoked_ms == 5


def test_an_empty_file_is_a_loss_and_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite3"
    with closing(AccessFile(path)) as file:
        file.add_token(Token("one", b"x", None, "", 1))
    path.write_bytes(b"")
    with pytest.raises(AccessError, match="is empty: what was in it is lost; put a copy of it back"):
        AccessFile(path)


@pytest.mark.parametrize("lost", ["missing", "another", "of an earlier version"])
def test_a_file_without_the_tokens_that_were_made_is_refused(tmp_path: Path, lost: str) -> None:
    path = tmp_path / "access.sqlite3"
    with closing(AccessFile(path)) as file:
        file.add_token(Token("one", b"x", None, "", 1))
    lock = tmp_path / "access.locked"
    if lost == "of an earlier version":  # which made no such note: it is made when the file is read
        lock.unlink()
        with closing(AccessFile(path)) as file:
            assert file.load().locked
    path.unlink()
    if lost == "another":
        (tmp_path / "else").mkdir()
        with closing(AccessFile(tmp_path / "else" / "access.sqlite3")) as file:
            assert not file.load().locked
        file.path.rename(path)
    for _ in range(2):
        with pytest.raises(AccessError, match=r"has none: put a copy of it back; .* remove access.locked too"):
            with closing(AccessFile(path)) as file:
                file.load()
    path.unlink(missing_ok=True)
    lock.unlink()
    with closing(AccessFile(path)) as file:
        assert not file.load().locked


def test_all_is_in_the_one_file(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite3"
    with closing(AccessFile(path)) as file:
        file.add_token(Token("one", b"x", None, "", 1))
        assert sorted(each.name for each in tmp_path.iterdir()) == ["access.locked", "access.sqlite3"]
