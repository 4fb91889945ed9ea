"""Which framework writes this log, by the marks of the presets."""

import re
from collections.abc import Sequence
from functools import lru_cache

from k12ai_ws.wire.bodies import Json

from .frameworks import forms
from .preset import Preset
from .records import message_of

_LINES = 200
"""So many lines that may show metrics are looked at; a framework that has not shown itself by then stays unknown."""


def is_over(state: dict[str, Json]) -> bool:
    """Whether no more lines need be looked at."""
    looked: int = state.get("looked", 0)
    return looked >= _LINES


class Recogniser:
    """Remembers in `state` what was recognised: `framework`, and how many lines were `looked` at."""

    def __init__(self, state: dict[str, Json], presets: Sequence[Preset]) -> None:
        self._state = state
        self._presets = presets

    def look(self, line: str) -> None:
        """Looks for marks in this line. A form (tqdm, CSV) stands until a framework is recognised."""
        if is_over(self._state):
            return
        self._state["looked"] = self._state.get("looked", 0) + 1
        line = line[:1000]
        message = message_of(line)
        texts = (message,) if message == line else (message, line)
        for preset in self._presets:
            if preset.marks and any(map(_marks(preset.marks).search, texts)):
                is_form = preset in forms.PRESETS
                if not (is_form and "framework" in self._state):
                    self._state["framework"] = preset.name
                if not is_form:
                    self._state["looked"] = _LINES
                return


@lru_cache(maxsize=256)
def _marks(marks: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{mark})" for mark in marks))
