"""`GET /openapi.json`: made when it is asked for first, and the same bytes from then on."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from k12ai_ws.api.rest import RestHandler
from k12ai_ws.drivers.registry import Registry
from k12ai_ws.wire.envelope import encode

from .document import build


class Document:
    """The document's bytes."""

    def __init__(
        self,
        routes: Iterable[tuple[str, str]],
        variables: Mapping[str, str],
        registry: Callable[[], Registry],
        version: str,
    ) -> None:
        self._routes = routes
        self._variables = variables
        self._registry = registry
        self._version = version

    @cached_property
    def encoded(self) -> bytes:
        """JSON, a few milliseconds' work the first time."""
        return encode(build(self._routes, self._variables, self._registry(), self._version)) + b"\n"


class OpenApiHandler(RestHandler):
    """`GET /openapi.json`: the API described for programs."""

    tag = "platform"
    op = "openapi"

    def get(self) -> None:
        """200 with the document."""
        document: Document = self.settings["document"]
        self.set_header("Cache-Control", "no-cache")  # kept, and asked about: its ETag changes with it
        self.finish(document.encoded)
