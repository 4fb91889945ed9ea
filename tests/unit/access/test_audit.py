"""The audit log's files."""

import errno
import os

import pytest

from k12ai_ws.access.audit import AuditFiles


def test_a_disk_that_is_full_leaves_no_half_line(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = AuditFiles(tmp_path / "audit", 1 << 20, 3)
    files.append([b"one\n"])
    write = os.write

    def fills_up(file: int, data: memoryview) -> int:
        if len(data) <= 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data[:5])

    monkeypatch.setattr(os, "write", fills_up)
    with pytest.raises(OSError, match="No space left"):
        files.append([b"two is long\n", b"three\n"])
    monkeypatch.undo()
    files.append([b"four\n"])
    assert (tmp_path / "audit" / "audit.jsonl").read_bytes() == b"one\nfour\n"
