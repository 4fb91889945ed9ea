"""Whether the server can do its work now: the store answers, the disk has room, jobs have somewhere to run."""

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from k12ai_ws.launchers.launcher import Launcher, LaunchError
from k12ai_ws.store.store import Store
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
    """Checks on demand, and says in the log when the answer changes. `leaving` says whether the server ends."""

    def __init__(self, store: Store, data_dir: Path, launcher: LauncherProbe, leaving: Callable[[], bool]) -> None:
        self._store = store
        self._data_dir = data_dir
        self._launcher = launcher
        self._leaving = leaving
        self._writing: asyncio.Task[None] | None = None
        self._missing: frozenset[str] = frozenset()

    async def check(self) -> dict[str, Json]:
        """`{ready, checks: {store, disk, launcher, shutdown}}`, each check `{ok, message}`, the launcher's with its
        `name`.
        """
        store, disk, launcher = await asyncio.gather(
            self._check_store(),
            asyncio.get_running_loop().run_in_executor(None, self._check_disk),
            self._launcher.check(),
        )
        checks = {"store": store, "disk": disk, "launcher": launcher, "shutdown": self._check_shutdown()}
        self._say({name: str(check["message"]) for name, check in checks.items() if not check["ok"]})
        return {"ready": all(c["ok"] for c in checks.values()), "checks": checks}

    async def close(self) -> None:
        """Waits for no write any more."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait({self._writing})

    def _say(self, missing: Mapping[str, str]) -> None:
        if missing.keys() == self._missing:
            return
        self._missing = frozenset(missing)
        if missing:
            log.warning("not ready: %s", "; ".join(f"{name}: {why}" for name, why in missing.items()))
        else:
            log.info("ready again")

    def _check_shutdown(self) -> dict[str, Json]:
        if self._leaving():
            return {"ok": False, "message": "the server is shutting down; its jobs go on"}
        return {"ok": True, "message": "none is under way"}

    async def _check_store(self) -> dict[str, Json]:
        """Writes: a disk that is full or read-only is read from as well as ever. One write at a time, however many ask,
        and however long the disk takes.
        """
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._store.probe(), name="probe the store")
            self._writing.add_done_callback(self._written)
        writing = self._writing
        done, _ = await asyncio.wait({writing}, timeout=PATIENCE_S)
        if not done:
            return {"ok": False, "message": f"a write to the store has not come back within {PATIENCE_S:g} s"}
        error = asyncio.CancelledError() if writing.cancelled() else writing.exception()
        if error is not None:
            return {"ok": False, "message": str(error) or type(error).__name__}
        if self._store.damage is not None:
            return {"ok": False, "message": self._store.damage}
        return {"ok": True, "message": f"epoch {self._store.epoch}, head {self._store.head}"}

    def _written(self, writing: "asyncio.Task[None]") -> None:
        self._writing = None
        if not writing.cancelled():
            writing.exception()  # whoever asked may have gone on without it

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
