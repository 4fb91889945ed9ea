"""The Docker engine: control calls through the `docker` package, and the two streams of a container read raw.

The package's own streams are not used: `attach_socket` can lose the bytes that came with the response's head, and
`logs(follow=True)` takes a lost connection for the end. Everything here blocks and is called in threads.

Engine API: https://docs.docker.com/reference/api/engine/version/v1.41/
"""

import contextlib
import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import docker
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env, parse_host
from requests.exceptions import RequestException

from .transport import LocalAdapter, connect

T = TypeVar("T")
Container = Mapping[str, Any]
"""What the engine tells of one container, as its API spells it."""

TIMEOUT_S: Final = 60.0
"""An engine that is busy pulling and starting may take its time; one that says nothing for so long is gone."""
_FIRST_S: Final = 10.0
"""How long the first question of all may take. Nothing else is asked of the engine before it has an answer."""
_TURN_S: Final = 3.0
"""How long a call waits for the answer to another call's first question."""
_POOLS: Final = 32
_READ_BYTES: Final = 256 * 1024
_HEAD_LIMIT: Final = 64 * 1024


class EngineError(Exception):
    """The engine refused: its HTTP status, and its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class EngineGone(EngineError):
    """The engine does not answer."""

    def __init__(self, message: str) -> None:
        super().__init__(0, message)


class Engine:
    """One engine. `host` as in `DOCKER_HOST` (`unix://…`, `tcp://…`); None: what the environment says, by default the
    local socket. Certificates come from `DOCKER_CERT_PATH` where `DOCKER_TLS_VERIFY` is set.
    """

    def __init__(
        self, host: str | None = None, *, environ: Mapping[str, str] = os.environ, timeout_s: float = TIMEOUT_S
    ) -> None:
        options = kwargs_from_env(environment=dict(environ))
        self._tls = options.get("tls")
        self.address = str(parse_host(host or options.get("base_url"), tls=bool(self._tls))).removeprefix("http+")
        self._is_local = self.address.startswith("unix:")
        self._timeout_s = timeout_s
        self._making = threading.Lock()
        self._client: docker.APIClient | None = None

    # ---- control

    def info(self) -> Mapping[str, Any]:
        """The engine's own description (`GET /info`). Raises EngineGone, EngineError; so does everything below."""
        return self._ask(lambda api: api.info())

    def create(self, name: str, config: Mapping[str, Any]) -> str:
        """Makes a container and returns its id. 409: the name is taken; 404: there is no such image."""
        return str(self._ask(lambda api: api.create_container_from_config(dict(config), name))["Id"])

    def start(self, container: str) -> None:
        """Starts it; one that runs already is left alone."""
        self._ask(lambda api: api.start(container))

    def inspect(self, container: str) -> Container | None:
        """The container (by id or name); None where there is none."""
        try:
            found: Container = self._ask(lambda api: api.inspect_container(container))
        except EngineError as e:
            if e.status == 404:
                return None
            raise
        return found

    def kill(self, container: str, signal: str) -> bool:
        """Sends a signal to the container's first process; False where it does not run (any more)."""
        try:
            self._ask(lambda api: api.kill(container, signal))
        except EngineError as e:
            if e.status in (404, 409):
                return False
            raise
        return True

    def unpause(self, container: str) -> None:
        """Lets a paused container go on; one that is not paused is left alone."""
        with contextlib.suppress(EngineError):  # not paused, or gone: then there is nothing to do
            self._ask(lambda api: api.unpause(container))

    def remove(self, container: str) -> None:
        """Removes it, running or not, with its anonymous volumes; one that is gone is no error."""
        try:
            self._ask(lambda api: api.remove_container(container, v=True, force=True))
        except EngineError as e:
            if e.status not in (404, 409):  # 409: its removal is under way
                raise

    def containers(self, labels: Sequence[str]) -> Sequence[Container]:
        """All containers, running or not, that carry all these labels (`key` or `key=value`), as lists show them."""
        return self._ask(lambda api: api.containers(all=True, filters={"label": list(labels)}))

    def image(self, name: str) -> Mapping[str, Any]:
        """What the engine tells of an image. 404: it is not there."""
        found: Mapping[str, Any] = self._ask(lambda api: api.inspect_image(name))
        return found

    def pull(self, image: str) -> None:
        """Fetches an image; takes as long as it takes."""
        self._ask(lambda api: api.pull(image))

    def stats(self, container: str) -> Mapping[str, Any] | None:
        """The container's counters now, without waiting for a second sample; None where it does not run."""
        try:
            counters: Mapping[str, Any] = self._ask(lambda api: api.stats(container, stream=False, one_shot=True))
        except EngineError as e:
            if e.status in (404, 409):
                return None
            raise
        return counters

    def close(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            self._client.close()

    def _ask(self, call: Callable[[Any], T]) -> T:
        try:
            return call(self._api())
        except APIError as e:
            raise EngineError(e.status_code or 500, str(e.explanation or e)) from e
        except (RequestException, DockerException) as e:
            raise EngineGone(f"the Docker engine at {self.address} does not answer: {_cause(e)}") from e

    def _api(self) -> docker.APIClient:
        if self._client is not None:
            return self._client
        # One asks an engine that may be hung, and the others fail soon, instead of each holding its thread in turn.
        if not self._making.acquire(timeout=_TURN_S):
            raise EngineGone(f"the Docker engine at {self.address} does not answer: it has been asked for a while")
        try:
            if self._client is None:
                client = docker.APIClient(
                    base_url=self.address, version=self._version(), tls=self._tls or False, timeout=self._timeout_s
                )
                if self._is_local:
                    client.mount("http+docker://", LocalAdapter(f"http+{self.address}", self._timeout_s, _POOLS))
                self._client = client
            return self._client
        finally:
            self._making.release()

    def _version(self) -> str:
        """The newest version of the API that the engine speaks: by a request of our own, as the package's own may
        leave a socket open.
        """
        patience_s = min(_FIRST_S, self._timeout_s)
        with contextlib.closing(self._request("GET", "/version", patience_s)) as stream:
            answer = b"".join(stream.read_all(patience_s))
        try:
            return str(json.loads(answer)["ApiVersion"])
        except (ValueError, LookupError, TypeError) as e:
            raise EngineGone(f"what answers at {self.address} is no Docker engine") from e

    # ---- streams

    def attach(self, container: str) -> "Stream":
        """All that the container prints from now on, unbuffered. Attach before the start: then nothing is missed."""
        return self._stream("POST", f"/containers/{container}/attach?stream=1&stdout=1&stderr=1")

    def logs(self, container: str, *, follow: bool = False, tail: int | None = None) -> "Stream":
        """The engine's own log of the container, with its timestamps; `follow`: and what comes, until it ends."""
        last = "all" if tail is None else str(tail)
        query = f"stdout=1&stderr=1&timestamps=1&tail={last}&follow={int(follow)}"
        return self._stream("GET", f"/containers/{container}/logs?{query}")

    def _stream(self, method: str, path: str) -> "Stream":
        return self._request(method, f"/v{self._ask(lambda api: api.api_version)}{path}", self._timeout_s)

    def _request(self, method: str, path: str, patience_s: float) -> "Stream":
        request = f"{method} {path} HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n"
        try:
            connection = connect(self.address, self._tls, patience_s)
            try:
                connection.sendall(request.encode("ascii"))
                status, rest = _head(connection)
                if status not in (200, 101):
                    raise EngineError(status, _said(connection, rest))
            except BaseException:
                connection.close()
                raise
        except OSError as e:
            raise EngineGone(f"the Docker engine at {self.address} does not answer: {e}") from e
        return Stream(connection, rest)


class Stream:
    """The bytes of one stream. `read` in one thread; `close` may come from another, and ends that read."""

    def __init__(self, connection: socket.socket, rest: bytes) -> None:
        self._connection = connection
        self._rest = rest

    def read(self, patience_s: float) -> bytes | None:
        """The next bytes; b"" at the end, None where nothing came for `patience_s` seconds. Raises EngineGone."""
        if self._rest:
            rest, self._rest = self._rest, b""
            return rest
        try:
            self._connection.settimeout(patience_s)
            return self._connection.recv(_READ_BYTES)
        except TimeoutError:
            return None
        except OSError as e:
            raise EngineGone(f"the connection to the Docker engine was lost: {e}") from e

    def read_all(self, patience_s: float) -> Iterator[bytes]:
        """All until the end. Raises EngineGone, also where nothing comes for `patience_s` seconds."""
        while True:
            data = self.read(patience_s)
            if data is None:
                raise EngineGone(f"the Docker engine sent nothing for {patience_s:g} s in the middle of a log")
            if not data:
                return
            yield data

    def close(self) -> None:
        """Hangs up."""
        with contextlib.suppress(OSError):  # not connected any more
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def _head(connection: socket.socket) -> tuple[int, bytes]:
    """The status of the response, and the bytes of its body that came with the head."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(_READ_BYTES)
        if not more or len(data) > _HEAD_LIMIT:
            raise ConnectionError("it hung up before it answered" if not more else "it answers, but not in HTTP")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    if status is None:
        raise ConnectionError("it answers, but not in HTTP")
    return int(status[1]), rest


def _said(connection: socket.socket, rest: bytes) -> str:
    """The message of an error response."""
    while len(rest) < _HEAD_LIMIT and (more := connection.recv(_READ_BYTES)):
        rest += more
    try:
        return str(json.loads(rest)["message"])
    except (ValueError, LookupError, TypeError):
        return rest.decode("utf-8", "replace").strip()


def _cause(error: BaseException) -> str:
    """The innermost text: the outer ones are the HTTP library's wrappings."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error)
