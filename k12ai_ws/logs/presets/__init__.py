"""Metric parsers by name. `auto` reads any framework's log; the others are narrower."""

from collections.abc import Mapping
from types import MappingProxyType

from k12ai_ws.logs.parser import LogParser

from .generic import (
    AutoParser,
    CsvParser,
    HuggingFaceParser,
    JsonLinesParser,
    KerasParser,
    KeyValueParser,
    SklearnParser,
    TqdmParser,
)

PRESETS: Mapping[str, type[LogParser]] = MappingProxyType(
    {
        "auto": AutoParser,
        "csv": CsvParser,
        "huggingface": HuggingFaceParser,
        "jsonlines": JsonLinesParser,
        "keras": KerasParser,
        "keyvalue": KeyValueParser,
        "sklearn": SklearnParser,
        "tqdm": TqdmParser,
    }
)
"""name -> parser class; an instance reads one job's log."""


class UnknownPreset(ValueError):
    """No preset has this name; the message lists those that exist."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no log preset {name!r}; the presets are {', '.join(sorted(PRESETS))}")
        self.name = name


def preset(name: str) -> LogParser:
    """A new parser of this preset. Raises UnknownPreset."""
    try:
        return PRESETS[name]()
    except KeyError:
        raise UnknownPreset(name) from None
