"""Forms of a line or a file that belong to no framework."""

from k12ai_ws.logs.presets.preset import ALL, TEXT, Preset

from .loops import COMMON

PRESETS = (
    Preset("keyvalue", "`name=value` and `name: value`", frozenset(("dicts", "pairs")), (), COMMON),
    Preset("logging", "messages behind a time, a level and a logger (logging, loguru, rich, absl)", ALL, (), COMMON),
    Preset("tqdm", "what a progress bar shows behind its rate", TEXT, (r"\d{1,3}%\|.{0,200}\| ?\d+/\d+ \[",)),
    Preset("jsonlines", "one JSON object per line", frozenset(("dicts",)), (r'^\{"',)),
    Preset("csv", "a header of names, then rows", frozenset(("tables",)), (r"^\d+(?:,[-+\d.eEnaif]+){2,}$",)),
)
