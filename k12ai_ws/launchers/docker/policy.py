"""What the operator lets drivers ask for, and what a run gets that asks for nothing."""

import fnmatch
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from k12ai_ws.drivers.spec import LaunchSpec, Mount, Resources
from k12ai_ws.launchers.launcher import LaunchError
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.status import Reason

ROOT: Final = "/k12ai"
"""Where a container finds its roles: `/k12ai/output` and so on."""

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
_IMAGE: Final = re.compile(
    rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
"""https://pkg.go.dev/github.com/distribution/reference#pkg-overview, with sha256 as the only digest."""
_MAX_IMAGE_CHARS: Final = 255
_MAX_SAID_CHARS: Final = 200
"""So much of a path is told in a message."""
_NETWORK: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_OWN_NETWORKS: Final = ("host", "none", "default")
_SYSTEM: Final = ("/proc", "/sys", "/dev", "/run", "/var/run", "/etc", "/sbin", ROOT)
"""Where the kernel, the engine (its init is `/sbin/docker-init`) and this package put things; nor what is below."""
_TMP: Final = "/tmp"  # noqa: S108 - the container's own
_LEAST_CPUS: Final = 0.01
_LEAST_MEMORY: Final = 6 << 20
"""The engine starts nothing with less, and takes what rounds to no cores at all for no limit."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A folder of the host that drivers may ask for, with its links followed; to read: with all below it. `write`:
    also to write to, and then it alone: what lies below is in the hands of whoever wrote there, who could put a link
    in its place after it was judged. `alias`: another path of it that drivers may use, such as one through a link.
    """

    path: Path
    write: bool = False
    alias: Path | None = None


@dataclass(frozen=True, slots=True)
class Bind:
    """A mount as it was judged, and as the container gets it: no link, no detour is left in its paths."""

    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Granted:
    """What a run gets: its resources, all filled in, and its mounts besides the roles."""

    resources: Resources
    mounts: Sequence[Bind] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The bounds. Memory in bytes, CPUs in cores; None where there is no bound.

    `images` are patterns (`*`, `?`, `[…]`) that an image's whole name must match, a tag of `latest` included where it
    names none. `cpus`, `memory` and `shm` are what a run gets that asks for none. `never` are paths that no container
    sees whatever else is allowed: the engine's socket and the server's own data.
    """

    images: Sequence[str]
    networks: Sequence[str] = ()
    mounts: Sequence[Allowed] = ()
    cpus: float = 1.0
    memory: int = 2 << 30
    shm: int = 256 << 20
    max_cpus: float | None = None
    max_memory: int | None = None
    max_gpus: int | None = None
    never: Sequence[Path] = ()

    def allow(self, spec: LaunchSpec) -> Granted:
        """What a run of `spec` gets. Raises LaunchError where it asks for more than may be. Looks at the host's files
        only where these lie in folders that jobs may see, and may block there.
        """
        self._check_image(spec.image)
        if spec.network is not None:
            self._check_network(spec.network)
        mounts: dict[str, Bind] = {}
        for mount in spec.extra_mounts:
            bind = self._judge(mount)
            if bind.target in mounts:
                text = f"two mounts have the target {bind.target!r}, and one would hide the other"
                raise _refuse(text, "extra_mounts")
            mounts[bind.target] = bind
        asked = spec.resources
        bounds: Sequence[tuple[str, float | None, float | None, str]] = (
            ("cpus", asked.cpus, self.max_cpus, "cores"),
            ("memory", asked.memory, self.max_memory, "bytes"),
            ("gpus", asked.gpus, self.max_gpus, "GPUs"),
        )
        for name, value, bound, unit in bounds:
            if value is not None and bound is not None and value > bound:
                raise _refuse(
                    f"the driver asks for {value} {unit}, and a job may have {bound} (docker.max_{name})", name
                )
        memory = asked.memory or min(self.memory, self.max_memory or self.memory)
        if memory < _LEAST_MEMORY:
            raise _refuse(f"{memory} bytes of memory are too few for a container: {_LEAST_MEMORY} at least", "memory")
        cpus = asked.cpus or min(self.cpus, self.max_cpus or self.cpus)
        if cpus < _LEAST_CPUS:
            raise _refuse(f"{cpus} cores are too few for a container: {_LEAST_CPUS} at least", "cpus")
        shm = min(asked.shm or self.shm, memory)  # it counts as memory: more could never be used
        filled = asked.model_copy(update={"cpus": cpus, "memory": memory, "shm": shm})
        return Granted(filled, tuple(mounts.values()))

    def _check_image(self, image: str | None) -> None:
        if image is None:
            raise _refuse("the driver's LaunchSpec names no image, and a container needs one", "image")
        if len(image) > _MAX_IMAGE_CHARS or not _IMAGE.fullmatch(image):
            raise _refuse(f"{image[:_MAX_IMAGE_CHARS]!r} is no name of an image, such as 'k12ai/k12cv:latest'", "image")
        if not any(fnmatch.fnmatchcase(full_name(image), pattern) for pattern in self.images):
            raise _refuse(
                f"the image {image!r} is not one that may run here: the operator allows {list(self.images)} "
                "(docker.images)",
                "image",
            )

    def _check_network(self, network: str) -> None:
        if not _NETWORK.fullmatch(network) or network in _OWN_NETWORKS:
            raise _refuse(
                f"the network {network[:128]!r} is none that a job may ever join: right is the name of a network "
                f"of the engine (docker.networks), not {', '.join(_OWN_NETWORKS)} or 'container:…'",
                "network",
            )
        if network not in self.networks:
            raise _refuse(
                f"the network {network!r} is not one that a job may join: the operator allows "
                f"{list(self.networks) or 'none'} (docker.networks)",
                "network",
            )

    def _judge(self, mount: Mount) -> Bind:
        where = f"the mount of {mount.source[:_MAX_SAID_CHARS]!r}"
        target = posixpath.normpath(mount.target)
        if not mount.target.startswith("/") or mount.target.startswith("//") or target == "/" or "\0" in mount.target:
            raise _refuse(
                f"{where}: its target {mount.target[:_MAX_SAID_CHARS]!r} is no absolute path below /", "extra_mounts"
            )
        if any(target == place or target.startswith(f"{place}/") for place in _SYSTEM):
            raise _refuse(f"{where}: its target {target!r} would hide what the container needs there", "extra_mounts")
        if target == _TMP:
            raise _refuse(f"{where}: its target {target!r} is the job's own; take a folder below it", "extra_mounts")
        if not mount.source.startswith("/") or "\0" in mount.source:
            raise _refuse(f"{where}: the source is no absolute path", "extra_mounts")
        # First by its words alone: who asks for what may not be seen learns nothing of it, and waits for no dead disk.
        source = Path(posixpath.normpath("/" + mount.source.lstrip("/")))
        self._covering(source, where)
        try:
            source = source.resolve()
            allowed = self._covering(source, where)
            source.stat()
        except (OSError, RuntimeError) as e:  # RuntimeError: a loop of links
            raise _refuse(f"{where}: there is no such folder here", "extra_mounts") from e
        if not mount.read_only and not any(each.write for each in allowed):
            said = str(source)[:_MAX_SAID_CHARS]
            raise _refuse(f"{where}: it may only be read (docker.mounts has no {said}:rw)", "extra_mounts")
        return Bind(source, target, mount.read_only)

    def _covering(self, source: Path, where: str) -> Sequence[Allowed]:
        """The entries of `docker.mounts` that let this path be seen."""
        said = repr(str(source)[:_MAX_SAID_CHARS])
        for forbidden in self.never:
            if source == forbidden or source in forbidden.parents or forbidden in source.parents:
                raise _refuse(f"{where}: no job sees {said}, whatever is allowed", "extra_mounts")
        allowed = [each for each in self.mounts if _is_in(source, each)]
        if not allowed:
            raise _refuse(
                f"{where}: {said} lies in no folder that jobs may see (docker.mounts: "
                f"{[str(each.path) for each in self.mounts] or 'none'})",
                "extra_mounts",
            )
        for each in allowed:
            if each.write and source not in (each.path, each.alias):
                raise _refuse(
                    f"{where}: {said} lies below {str(each.path)!r}, where jobs write and could put another folder in "
                    f"its place: only {str(each.path)!r} itself is mounted (docker.mounts)",
                    "extra_mounts",
                )
        return allowed


def _is_in(source: Path, allowed: Allowed) -> bool:
    return any(root is not None and source.is_relative_to(root) for root in (allowed.path, allowed.alias))


def full_name(image: str) -> str:
    """The image's name with its tag: `latest` where it names neither a tag nor a digest."""
    name = image.rpartition("/")[2]
    return image if ":" in name or "@" in name else f"{image}:latest"


def _refuse(message: str, what: str) -> LaunchError:
    return LaunchError(Code.NOT_ALLOWED, Reason.LAUNCH_FAILED, f"{message}; refused: {what}")
