"""The quantities that progress bars print: counts with a scale (`1.5k`, `23.8MiB`), times and rates."""

import re

from k12ai_ws.wire.bodies import Progress

AMOUNT = r"\d[\d.,]{0,18}(?:\s?(?:[kKMGTP](?:i?B)?|B)(?![A-Za-z]))?"
"""A count as a bar prints it. Give it a group of its own, and the match to `amount`."""

_PARTS = re.compile(r"([\d.,]+)\s?([kKMGTP]?)(i?)")
_POWER = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_LONG_TIME = re.compile(
    r"(?:(\d{1,6})\s?d(?:ays?)?,?\s*)?(?:(\d{1,6})\s?h\s?)?(?:(\d{1,6})\s?m(?:in)?\s?)?(?:(\d{1,9})(?:\.\d+)?\s?s(?:ec)?)?$"
)
_PER_SECOND = re.compile(
    r"(\d+(?:\.\d+)?)(?:([kKMGTP])(?=i?[A-Za-z/])(i(?=B))?)?(\s?)([A-Za-z_%]{0,20})/s(?:ec)?(?!\w)"
)
_PER_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s?(ms|us|µs|s|min|h)/([A-Za-z_]{1,20})")
_UNKNOWN = re.compile(r"\?\s?([A-Za-z_]{1,20})/s")
_SIZED = re.compile(r"([kKMGTP])(i?)(B|bytes)$")
_SECONDS = {"ms": 1e-3, "us": 1e-6, "µs": 1e-6, "s": 1.0, "min": 60.0, "h": 3600.0}


def amount(text: str) -> float:
    """The number of `12`, `1,234`, `1.5k` (thousands), `23.8MiB` (of 1,024); 0 where it is none."""
    if text.isdigit():
        return int(text[:18])
    match = _PARTS.match(text)
    if not match:
        return 0
    try:
        value = float(match[1].replace(",", ""))
    except ValueError:
        return 0
    value *= (1024 if match[3] else 1000) ** _POWER[match[2]]
    return int(value) if value.is_integer() else value


def amounts(n_text: str, total_text: str) -> tuple[float, float, str | None]:
    """Both numbers of `45.2/120.0 MB`, where the second one's unit is also that of the first, and `B` for bytes."""
    if total_text[-1:] != "B":
        return amount(n_text), amount(total_text), None
    if n_text[-1:].isdigit():
        n_text += total_text.lstrip("0123456789.,")
    return amount(n_text), amount(total_text), "B"


def seconds(text: str) -> float | None:
    """The seconds of `01:05`, `1:02:03`, `2 days, 0:00:10`, `3s`, `0h 1m 3s`; None where it is no time (`?`)."""
    text = text.strip()
    days, comma, clock = text.partition("day")
    total = 0
    if comma:
        if not days.strip().isdigit():
            return None
        total, text = int(days[:6]) * 86_400, clock.lstrip("s, ")
    parts = text.split(":")
    if len(parts) > 1:
        if not all(part.isdigit() and len(part) < 9 for part in parts):
            return None
        clocked = 0
        for part in parts:
            clocked = clocked * 60 + int(part)
        return float(total + clocked)
    match = _LONG_TIME.match(text)
    if not text or not match or not any(match.groups()):
        return None
    d, h, m, s = (int(part or 0) for part in match.groups())
    return float(total + d * 86_400 + h * 3600 + m * 60 + s)


def rate(text: str) -> tuple[float | None, str | None]:
    """Units per second, and the unit, of the first rate in the text: `7.9it/s`, `2.50s/it` (0.4), `32.6 MB/s`.

    `(None, unit)` where only the unit is known (`?it/s`), `(None, None)` where there is no rate.
    """
    if match := _PER_SECOND.search(text):
        scale, binary, unit = match[2] or "", bool(match[3]), match[5]
        if match[4] and not scale and (sized := _SIZED.match(unit)):  # "32.6 MB/s"
            scale, binary, unit = sized[1], bool(sized[2]), sized[3]
        return float(match[1]) * (1024 if binary else 1000) ** _POWER[scale], unit or None
    if match := _PER_UNIT.search(text):
        each = float(match[1]) * _SECONDS[match[2]]
        return (1 / each if each > 0 else None), match[3]
    if match := _UNKNOWN.search(text):
        return None, match[1]
    return None, None


def progress(
    n: float,
    total: float,
    *,
    unit: str | None = None,
    desc: str = "",
    eta_s: float | None = None,
    per_second: float | None = None,
) -> Progress | None:
    """The progress of `n` of `total`, or None where they are none."""
    if total <= 0 or n < 0 or n > total * 1.001:
        return None
    value = min(1.0, n / total)
    if value == 1.0 and eta_s is not None:
        eta_s = 0.0  # Keras and rich print the time that it took there
    per_second = round(per_second, 6) if per_second is not None else None
    return Progress(value, n, total, unit or None, title(desc), eta_s, per_second)


def title(before: str) -> str | None:
    """What a bar says of itself: the text before it without signs, spinners and the cells of a table."""
    text = before.strip(" \t:|-.…•[(>\u25b6\u2800\u2801")
    while text and "\u2801" <= text[0] <= "\u28ff":  # a spinner
        text = text[1:].lstrip()
    if "  " in text or "\t" in text:
        cells = re.split(r"\s{2,}|\t", text)
        if any(re.match(r"[\d.]+[GMK]?$", cell) for cell in cells[1:]):
            text = cells[0]
    return text[:120].rstrip(" :") or None
