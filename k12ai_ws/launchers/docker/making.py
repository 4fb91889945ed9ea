"""Makes a job's container, or finds the one that was made before; and says what an engine's refusal means."""

import logging

from k12ai_ws.launchers.launcher import LaunchError, LaunchRequest
from k12ai_ws.launchers.roles import unfit
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.status import Reason

from .container import JOB, SERVER, Bounds, Owner, describe, name_of
from .engine import Container, Engine, EngineError, EngineGone
from .outputs import hand_over
from .policy import Policy

log = logging.getLogger(__name__)


class Maker:
    """Makes containers within the operator's policy and bounds. `pull`: fetch an image that is not there. Blocking."""

    def __init__(self, engine: Engine, policy: Policy, bounds: Bounds, owner: Owner, *, pull: bool) -> None:
        self._engine = engine
        self._policy = policy
        self._bounds = bounds
        self._owner = owner
        self._pull = pull

    def make(self, request: LaunchRequest) -> tuple[str, bool]:
        """The container's id, and whether it has yet to be started. Raises LaunchError, EngineError."""
        config = describe(request, self._policy.allow(request.spec), self._bounds, self._owner)
        name = name_of(request.job_id)
        found = self._engine.inspect(name)
        if found is not None:
            self._require_own(found, request.job_id)
            return str(found["Id"]), found["State"]["Status"] == "created"
        self._require_sealed(config["Image"])
        hand_over(request.folders["output"], self._bounds.user)
        return self._engine.create(name, config), True

    def _require_sealed(self, image: str) -> None:
        """Refuses an image that would bring a place to write without bound; fetches one that is not there."""
        try:
            about = self._engine.image(image)
        except EngineError as e:
            if e.status != 404 or not self._pull:
                raise
            self._fetch(image)
            about = self._engine.image(image)
        if volumes := sorted((about.get("Config") or {}).get("Volumes") or ()):
            raise LaunchError(
                Code.NOT_ALLOWED,
                Reason.LAUNCH_FAILED,
                f"the image {image!r} declares volumes ({', '.join(volumes)}), and a job could fill the engine's disk "
                "through them: build it without VOLUME, and write to the output folder or /tmp",
            )

    def _fetch(self, image: str) -> None:
        log.info("image %s is not there: fetching it", image)
        try:
            self._engine.pull(image)
        except EngineGone:
            raise
        except EngineError as e:
            text = f"the image {image!r} is not on this engine, and could not be fetched: {e.message}"
            raise LaunchError(Code.IMAGE_NOT_FOUND, Reason.IMAGE_MISSING, text) from e

    def _require_own(self, container: Container, job_id: str) -> None:
        labels = container["Config"]["Labels"] or {}
        if labels.get(SERVER) != self._owner.server or labels.get(JOB) != job_id:
            raise unfit(f"a container of the name {name_of(job_id)} is there, and it is not this server's")


def failure(error: EngineError, image: str | None) -> LaunchError:
    """What it means for a job that the engine did not start its container."""
    if isinstance(error, EngineGone):
        return LaunchError(Code.ENGINE_FAILED, Reason.ENGINE_FAILED, error.message)
    if error.status == 404 and "image" in error.message.lower():
        return LaunchError(
            Code.IMAGE_NOT_FOUND,
            Reason.IMAGE_MISSING,
            f"the image {image!r} is not on this engine: build it (`make images` builds those of k12cv and k12nlp; "
            f"`docker build -t {image} DIR` any other), or fetch it with `docker pull {image}`",
        )
    return unfit(f"the engine did not start the container: {error.message}")
