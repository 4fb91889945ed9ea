"""The access file where the disk is full."""

import subprocess
import sys
from pathlib import Path

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
