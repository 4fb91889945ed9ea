"""The presets, a family of frameworks a module; each is a row of data."""

from k12ai_ws.logs.presets.preset import Preset, Shape

from . import boosting, forms, loops, toolkits, trainers

FRAMEWORKS: tuple[Preset, ...] = (
    *trainers.PRESETS,
    *boosting.PRESETS,
    *toolkits.PRESETS,
    *loops.PRESETS,
    *forms.PRESETS,
)
"""In the order in which their marks are tried: the surest first."""
SHAPES: tuple[Shape, ...] = tuple(dict.fromkeys(shape for preset in FRAMEWORKS for shape in preset.shapes))
"""Those of all of them, each once."""
