"""Whether the server can do its work now: the store answers, the disk has room, jobs have somewhere to run."""

import asyncio
import os
import shutil
from pathlib import Path

from k12ai_ws.store.store import Store, StoreError
from k12ai_ws.wire.bodies import Json

MIN_FREE_BYTES = 64 << 20
"""Less free space than this in the data folder, and the server is not ready."""


class Readiness:
    """Checks on demand. `launcher_note` says which launcher was taken and why."""

    def __init__(self, store: Store, data_dir: Path, launcher: str, launcher_note: str) -> None:
        self._store = store
        self._data_dir = data_dir
        self._launcher = launcher
        self._launcher_note = launcher_note

    async def check(self) -> dict[str, Json]:
        """`{ready, checks: {store, disk, launcher}}`, each check `{ok, message}`."""
        checks = {
            "store": await self._check_store(),
            "disk": await asyncio.get_running_loop().run_in_executor(None, self._check_disk),
            "launcher": {"ok": True, "name": self._launcher, "message": self._launcher_note},
        }
        return {"ready": all(c["ok"] for c in checks.values()), "checks": checks}

    async def _check_store(self) -> dict[str, Json]:
        try:
            await self._store.job("")
        except StoreError as e:
            return {"ok": False, "message": str(e)}
        return {"ok": True, "message": f"epoch {self._store.epoch}, head {self._store.head}"}

    def _check_disk(self) -> dict[str, Json]:
        try:
            free = shutil.disk_usage(self._data_dir).free
        except OSError as e:
            return {"ok": False, "message": f"{self._data_dir}: {e.strerror}"}
        if not os.access(self._data_dir, os.W_OK):
            return {"ok": False, "message": f"{self._data_dir} is not writable by this server"}
        if free < MIN_FREE_BYTES:
            return {"ok": False, "message": f"{self._data_dir} has {free} bytes free, less than {MIN_FREE_BYTES}"}
        return {"ok": True, "message": f"{free} bytes free"}
