"""Whether the server can do its work now: the store answers, the disk has room, jobs have somewhere to run."""

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from k12ai_ws.launchers.launcher import Launcher, LaunchError
from k12ai_ws.store.store import Store, StoreError
from k12ai_ws.wire.bodies import Json

MIN_FREE_BYTES = 64 << 20
"""Less free space than this in the data folder, and the server is not ready."""
PATIENCE_S = 3.0
"""A launcher that has not said by then what it has counts as one that does not answer."""
KEEP_S = 3.0
"""What the launcher said holds for so long: probes that come more often cost the engine nothing."""

log = logging.getLogger(__name__)


class LauncherProbe:
    """Asks the launcher whether jobs can run there, one question at a time however many ask here. `close` at the end.

    `note` says which launcher was taken and why. A question that nobody answers stays the only one: a silent engine
    holds one thread, not one for each probe.
    """

    def __init__(self, launcher: Launcher, note: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self._launcher = launcher
        self._note = note
        self._now = now
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = 0.0
        self._problem: str | None = None
        self._answered_at: float | None = None

    async def check(self) -> dict[str, Json]:
        """`{ok, name, message}`; waits `PATIENCE_S` seconds at most."""
        problem = await self._find_problem()
        return {"ok": problem is None, "name": self._launcher.name, "message": problem or self._note}

    async def close(self) -> None:
        """Waits for no answer any more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    async def _find_problem(self) -> str | None:
        now = self._now()
        if self._asking is None and (self._answered_at is None or now >= self._answered_at + KEEP_S):
            self._asked_at = now
            self._asking = asyncio.get_running_loop().create_task(self._ask(), name="ask the launcher")
        if self._asking is not None:
            done, _ = await asyncio.wait({self._asking}, timeout=max(0.0, self._asked_at + PATIENCE_S - now))
            if not done:
                waited = max(self._now() - self._asked_at, PATIENCE_S)
                return f"the launcher {self._launcher.name} was asked {waited:.0f} s ago what it has: no answer yet"
        return self._problem

    async def _ask(self) -> None:
        try:
            await self._launcher.capacity()
            self._problem = None
        except Exception as e:  # whatever it was, no job can be started there, and whoever asks is told
            self._problem = str(e) or type(e).__name__
            if not isinstance(e, LaunchError | OSError):
                log.exception("asking the launcher %s what it has failed", self._launcher.name)
        finally:
            self._answered_at = self._now()
            self._asking = None


class Readiness:
    """Checks on demand."""

    def __init__(self, store: Store, data_dir: Path, launcher: LauncherProbe) -> None:
        self._store = store
        self._data_dir = data_dir
        self._launcher = launcher

    async def check(self) -> dict[str, Json]:
        """`{ready, checks: {store, disk, launcher}}`, each check `{ok, message}`, the launcher's with its `name`."""
        store, disk, launcher = await asyncio.gather(
            self._check_store(),
            asyncio.get_running_loop().run_in_executor(None, self._check_disk),
            self._launcher.check(),
        )
        checks = {"store": store, "disk": disk, "launcher": launcher}
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
