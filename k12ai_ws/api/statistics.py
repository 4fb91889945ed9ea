"""`platform` statistics: the monitor's samples and the launcher's runs, put together for one query."""

from k12ai_ws.access.principal import Principal
from k12ai_ws.access.scope import own
from k12ai_ws.jobs.manager import JobManager
from k12ai_ws.launchers.launcher import Launcher, LaunchError
from k12ai_ws.monitor.containers import container_entries
from k12ai_ws.monitor.gpus import GpuReading
from k12ai_ws.monitor.items import select
from k12ai_ws.monitor.monitor import Monitor
from k12ai_ws.wire.bodies import Info, Json
from k12ai_ws.wire.requests import StatsQuery


class Statistics:
    """Answers statistics queries."""

    def __init__(self, monitor: Monitor, jobs: JobManager, launcher: Launcher) -> None:
        self._monitor = monitor
        self._jobs = jobs
        self._launcher = launcher

    async def read(self, query: StatsQuery, principal: Principal) -> Info:
        """The items that the query selects, as the user's document spells them; of containers the caller's own."""
        items = select(query.model_dump(exclude_none=True))
        containers = "containers" in items
        stats = await self._monitor.snapshot(items | {"gpus"} if containers else items)  # a container shows its GPU use
        content = stats.info(items)
        if containers:
            try:
                content["containers"] = own(principal, await self._containers(stats.gpu_reading))
            except LaunchError as error:  # an engine that is gone does not hide the host
                content["containers"] = []
                problems = content.get("problems")
                told: list[Json] = problems if isinstance(problems, list) else []
                content["problems"] = [*told, {"item": "containers", "message": error.message}]
        return Info(content)

    async def _containers(self, gpus: GpuReading) -> list[dict[str, Json]]:
        jobs = {job.job_id: job for job in self._jobs.active() if job.handle is not None}
        handles = {job_id: job.handle for job_id, job in jobs.items() if job.handle is not None}
        return container_entries(await self._launcher.stats(handles), jobs, gpus)
