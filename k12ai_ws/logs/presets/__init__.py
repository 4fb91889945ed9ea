"""Metric parsers by name. `auto` reads any framework's log; the others are narrower, and may stand together."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from k12ai_ws.logs.parser import LogParser

from .frameworks import FRAMEWORKS
from .generic import AUTO, GenericParser
from .preset import Preset, Shape

__all__ = ["PRESETS", "Preset", "Shape", "UnknownPreset", "compose", "preset"]

PRESETS: Mapping[str, Preset] = MappingProxyType({p.name: p for p in sorted((AUTO, *FRAMEWORKS), key=lambda p: p.name)})
"""name -> preset."""


class UnknownPreset(ValueError):
    """No preset has this name; the message lists those that exist."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no log preset {name!r}; the presets are {', '.join(PRESETS)}")
        self.name = name


def preset(*names: str) -> GenericParser:
    """A new parser that reads what these presets read. Raises UnknownPreset."""
    try:
        return GenericParser(*[PRESETS[name] for name in names])
    except KeyError as e:
        raise UnknownPreset(e.args[0]) from None


def compose(parsers: Sequence[LogParser | str]) -> list[LogParser]:
    """Parser objects as they are, and one parser for all presets that are named, at the place of the first: a line
    that two presets know is read once. Raises UnknownPreset.
    """
    names = [parser for parser in parsers if isinstance(parser, str)]
    out: list[LogParser] = []
    for parser in parsers:
        if not isinstance(parser, str):
            out.append(parser)
        elif names:
            out.append(preset(*names))
            names = []
    return out
