"""Reading a container's stream, with the doubt that a silent connection deserves: it may be dead unsaid."""

from typing import Final

from .ending import has_ended
from .engine import Engine, Stream

_SILENCE_S: Final = 10.0


class Listener:
    """Reads the streams of one container, one after the other; each read waits `patience_s` seconds."""

    def __init__(self, engine: Engine, container: str, patience_s: float) -> None:
        self._engine = engine
        self._container = container
        self._patience_s = patience_s
        self._silent_s = 0.0

    def read(self, stream: Stream) -> bytes | None:
        """As `Stream.read`; b"" too where it has been silent for long and the container is over. Raises EngineError."""
        data = stream.read(self._patience_s)
        self._silent_s = 0.0 if data is not None else self._silent_s + self._patience_s
        if self._silent_s < _SILENCE_S:
            return data
        self._silent_s = 0.0
        container = self._engine.inspect(self._container)
        if container is not None and not has_ended(container):
            return None
        last = stream.read(self._patience_s)  # what came while the engine was asked
        return b"" if last is None else last
