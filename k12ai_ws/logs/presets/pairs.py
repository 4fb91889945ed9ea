"""Names and numbers in a line of prose: `name=value`, `name: value`, `name value`, and the positions beside them."""

import math
import re
from dataclasses import dataclass, field

from k12ai_ws.logs.tracebacks.syntax import RECORD

from .vocabulary import POSITIONS, kind, normal, words

NUMBER = re.compile(
    r"(?<![\w.@])(?P<number>[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf(?:inity)?)(?![\w.]))",
    re.IGNORECASE,
)
MAYBE = re.compile(r"[=:]\s*[-+'\"\[(]*\.?\d|\d\.\d|\d[eE]-\d|\b(?:nan|inf)\b", re.IGNORECASE)
"""Without this a line has no metric and no position worth a closer look."""

_UNIT = re.compile(
    r"(?:%|(?:ms|us|µs|ns|s|m|h|sec|secs|seconds|min|[KMGTkmgt]i?B|[kKMGT]|B|b|GB|MB|KB|it|px|MiB|GiB|W|C|Hz|[KMG]Hz|x)(?![\w])"
    r"|(?:it|iter|step|sample|samples|img|images|tok|tokens|batch|examples)s?/s|s/|ms/|us/|/s\b|[A-Za-z_])"
)
_DELIMITER = re.compile(r"[,;|\t(){}\[\]<>\"`]|(?<!\w)'|'(?!\w)|\s-+\s|\s{2,}|->|=>|[-=*#]{2,}|[━-╿█-▏]+|:\s|:$|(?<=[^\w])\*\s")
_PROSE = frozenset("from of the is was to with in at for by be will and or a an than about".split())
_NAME = re.compile(r"[^\W\d][\w@./'\-+#]*(?: [^\W\d(][\w@./'\-+#)]*){0,3}$|#$|[^\W\d][\w@./'\-+]*$")
_SPLIT_LINE = re.compile(r"\W*(test|val|valid|validation|eval|evaluation|dev)(?:\s+(?:set|results?|metrics?))?\s*[:|\]-]\s*(?=\D)", re.IGNORECASE)
_BRACKETED = re.compile(r"\bepoch\s*(?:\(\w+\))?\s*:?\s*\[\s*(\d+)\s*(?:/\s*\d+)?\s*\]\s*(?:\[\s*(\d+)\s*/\s*\d+\s*\])?", re.IGNORECASE)
_ROUND = re.compile(r"\[(\d+)\][\t:]|(\d+):\s*learn:")
_LEVEL = re.compile(r"(?:\[?(?:DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|SUCCESS|TRACE)\]?\s*[:|\-\]]?\s*)", re.IGNORECASE)
_RECORD_END = re.compile(r"(?<=\s)[-|:>]\s+|\]\s*:?\s+|\b(?:DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|SUCCESS)\b\s*[:\]|-]*\s*")
_FIRST = re.compile(r"[\[(]?[A-Za-z_]{3,}")
_PREFIX = re.compile(r"(?:\[\w+[ :]?\d*\]:?\s+|[\w.-]+\s+\|\s+)")


@dataclass(slots=True)
class Reading:
    """What a line shows: positions (epoch, step), metrics, and names that only stand beside metrics."""

    positions: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    companions: dict[str, float | None] = field(default_factory=dict)
    others: dict[str, float | None] = field(default_factory=dict)

    def values(self) -> dict[str, float | None] | None:
        """The metrics event of this line, or None where it shows none. Names that are no known metric count where a
        position or a known metric stands in the same line.
        """
        if not self.metrics and not (self.others and self.positions):
            return None
        return {**self.positions, **self.metrics, **self.others, **self.companions}


def number(text: str) -> float | None:
    """The number as an int where it is whole, a float, or None where it is not finite."""
    text = text.replace(",", "")
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return int(text) if text.lstrip("+-").isdigit() and len(text) < 19 else value


def message_of(line: str) -> str:
    """A log record's own words, behind the time, level, logger and place that the logging library put there."""
    if not RECORD.match(line):
        match = _PREFIX.match(line)
        return line[match.end() :] if match and "Epoch" not in match[0] else line
    end = 0
    for match in _RECORD_END.finditer(line, 0, 160):
        if re.search(r"\d\.\d|=", line[end : match.start()]) and end:
            break
        gap = line[end : match.start()]
        if end and (":" in gap.strip() and " " in gap.strip() and not gap.strip().startswith("[")):
            break
        end = match.end()
    return line[end:]


def read_pairs(line: str, *, known_only: bool = True) -> list[Reading]:
    """Every name with a number in this line. With `known_only`, `name value` needs a known metric's name.

    More than one reading comes out where two processes wrote into one line.
    """
    return [_read(text, known_only=known_only) for text in _records(line)]


def _records(line: str) -> list[str]:
    """The line, in two where its own first word stands again right behind a number: two processes wrote at once."""
    text = message_of(line)
    word = _FIRST.match(line)
    if not word or line.find(word[0], word.end()) < 0:
        return [text]
    parts = re.split(rf"(?<=[\d)%\]])(?={re.escape(word[0])})", line)
    return [message_of(part) for part in parts] if len(parts) > 1 else [text]


def _read(text: str, *, known_only: bool) -> Reading:
    reading = Reading()
    split = ""
    if match := _SPLIT_LINE.match(text):
        split = match[1].lower() + " "
    if match := _BRACKETED.search(text):
        reading.positions["epoch"] = int(match[1][:15])
        if match[2]:
            reading.positions["step"] = int(match[2][:15])
    if match := _ROUND.match(text):
        reading.positions["step"] = int((match[1] or match[2])[:15])
    boosting = bool(match)
    last = 0
    for match in NUMBER.finditer(text):
        gap = text[last : match.start()]
        last = match.end()
        if gap and len(gap) <= 200:
            _pair(reading, text, gap, match, split, boosting=boosting, known_only=known_only)
    return reading


def _pair(
    reading: Reading,
    text: str,
    gap: str,
    match: re.Match[str],
    split: str,
    *,
    boosting: bool,
    known_only: bool,
) -> None:
    stripped = gap.rstrip(" ['\"(")
    opened = gap[len(stripped) :]
    if "(" in opened and not stripped.endswith((":", "=")):
        return
    sep = stripped[-1:] if stripped[-1:] in ("=", ":") else ""
    if not sep and (not gap[-1:].isspace() or opened.strip()):
        return
    body = (stripped[:-1] if sep else stripped).rstrip()
    if sep:
        body = body.rstrip("'\"")
    name_part = _DELIMITER.split(body)[-1].strip() if body else ""
    if sep == "=" and " " in name_part:
        name_part = _tight(name_part, gap)
    found = _NAME.search(name_part)
    if not found:
        return
    name = found[0]
    what = kind(name)
    if what != "metric" and " " in name:
        tail = name.rsplit(" ", 1)[1]
        if kind(tail) in ("position", "metric") and (sep != "" or kind(tail) == "position" or what == "never"):
            name, what = tail, kind(tail)
    number_text = match["number"]
    if what == "position":
        value = number(number_text)
        key = POSITIONS[normal(name)]
        if value is not None and key not in reading.positions:
            reading.positions[key] = value
        return
    after = text[match.end() :]
    unit = _UNIT.match(after)
    percent = after.lstrip().startswith("%")
    if unit and unit[0] != "%":
        return
    if after[:1] in (":", "/") and after[1:2].isdigit() and not (what == "metric" and after[:1] == "/"):
        return
    if after[:1] == "." or "-" in after[:1] and after[1:2].isdigit():
        return
    if not sep and (what != "metric" or not _PROSE.isdisjoint(name.lower().split()) or not _like_metric(number_text, percent=percent)) and known_only:
        return
    if what == "never" or (what == "split" and not boosting) or what == "other" and not boosting and not _loose(name, number_text):
        return
    value = number(number_text)
    if what == "metric" and after[:1] == "/" and (ratio := re.match(r"/(\d+)\s*\(\s*[\d.]+\s*%\)", after)):
        value = 100 * (value or 0) / int(ratio[1]) if int(ratio[1]) else value
    if len(name.split()) > 4:
        return
    if split and what == "metric" and not set(words(name)) & {"test", "val", "valid", "validation", "eval", "evaluation"}:
        name = split + name
    target = {"metric": reading.metrics, "split": reading.metrics, "companion": reading.companions}.get(what, reading.others)
    if what == "other" and boosting and sep == ":":
        target = reading.metrics
    target.setdefault(name[:80], value)


def _tight(name: str, gap: str) -> str:
    """The name before `=`: one word where nothing stands around the sign, else up to three."""
    return name.rsplit(" ", 1)[1] if not gap[-1:].isspace() else name


def _like_metric(text: str, *, percent: bool) -> bool:
    """Whether a number after a bare name looks like a measured value: it has a fraction, or is not finite."""
    return percent or not text.lstrip("+-").isdigit()


def _loose(name: str, text: str) -> bool:
    """An unknown name counts only as one word with a measured value."""
    return " " not in name and not text.lstrip("+-").isdigit() and len(name) > 1
