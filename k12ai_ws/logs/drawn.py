"""Bars drawn with other signs than tqdm's: Keras, rich, pip, click, alive-progress, progressbar2, wget and their like.

A bar's body is found first; what it says stands right before or right behind it: a percentage, `9/20`, times, a rate.
"""

import re
from itertools import islice

from k12ai_ws.wire.bodies import Progress

from .amounts import AMOUNT, amount, amounts, progress, rate, seconds

_SIGNS = (
    "\u2580-\u259f"  # blocks
    "\u25a0-\u25ab\u25ac-\u25b1\u25b6\u25cb\u25cf\u25c9\u25ef\u2219"  # squares, triangles, circles
    "\u2801-\u28ff"  # Braille
    "\u2501\u2578\u257a"  # rich's heavy lines
)
_BODY = re.compile(
    rf"\[[=#*>.\-_@+ {_SIGNS}]{{5,400}}\]|\|[#=*>@.\-_+ {_SIGNS}]{{5,400}}\||[{_SIGNS}][{_SIGNS}\u2500]{{4,400}}"
    r"|^#{1,400}+(?=\s{1,400}+\d)"
)
_ASCII = re.compile(r"[\[|][=#*>.\-_@+ ]{5}")
_OTHER = re.compile(rf"[{_SIGNS}][{_SIGNS} \u2500]{{4}}")
_FRACTION = re.compile(
    rf"[\s|\]]*[\u2581-\u2588\u2801-\u28ff]{{0,8}}\s*\(?(?P<n>{AMOUNT})\s?(?:/|of)\s?(?P<total>{AMOUNT})(?![\d:/])\)?"
)
_PERCENT = re.compile(r"[\s|\]]*\(?(?P<percent>\d{1,3}(?:\.\d+)?)\s?%")
_FRACTION_END = re.compile(r"(?<![\w/.])(?P<n>\d{1,15})\s?/\s?(?P<total>\d{1,15}|Unknown)[\s-]*$")
_PERCENT_END = re.compile(
    rf"(?<![\w/.])(?P<percent>\d{{1,3}}(?:\.\d+)?)\s?%\s*(?:\((?P<n>{AMOUNT})\s?(?:of|/)\s?(?P<total>{AMOUNT})\)\s*|"
    rf"of\s+(?P<size>{AMOUNT})\s*)?$"
)
_KERAS = re.compile(
    r"\s*(?P<n>\d{1,15})/(?P<total>\d{1,15}|Unknown)\s++(?:-\s*+)?(?P<time>\d{1,9})s\b(?P<rest>.*)", re.DOTALL
)
_DOTS = re.compile(
    r"\s*\d{1,12}K (?:[., ]{10} ?){1,8}\s*(?P<percent>\d{1,3})%\s+(?P<rate>[\d.]+[KMGT]?)[= ](?P<time>[\dhms.]+)$"
)
_CLOCK = r"\d{1,6}:\d\d(?::\d\d)?|-+:--(?::--)?"
_SAID_ETA = re.compile(
    rf"\b(?:ETA|eta|remaining|left):?\s*(?P<time>(?:\d+ days?, )?(?:{_CLOCK})|(?:\d+\s?[dhms]\s?){{1,4}})"
    r"|~(?P<about>(?:\d+[hms]){1,3})|<\s?(?P<less>\d+)(?:\.\d)?s"
)
_TIMES = re.compile(rf"(?<![\w:.])(?:{_CLOCK})(?![\w:])")
_SHORT = re.compile(r"(?<![\w:.])(?:\d{1,6}[dhms]){1,3}(?![\w/])")
_BODIES = 4
"""So many pieces of a line that may be a bar are looked at."""
_EMPTY = frozenset(" .-_[]|\u2591\u25a1\u25cb\u25ef\u2219\u25ab\u25b1")


def read_drawn(line: str) -> Progress | None:
    """What a drawn bar in this line shows, or None where there is none."""
    if "/" in line and (match := _KERAS.match(line)):
        return _keras(match)
    if ".......... " in line and (dots := _DOTS.match(line)):
        return progress(float(dots["percent"]), 100, unit="%", eta_s=seconds(dots["time"]))
    if line.isascii():
        if line[:1] != "#" and not (("]" in line or "|" in line) and _ASCII.search(line)):
            return None
    elif not _OTHER.search(line) and not _ASCII.search(line):
        return None
    for body in islice(_BODY.finditer(line), _BODIES):
        if (found := _around(line[: body.start()][-300:], body[0], line[body.end() : body.end() + 200])) is not None:
            return found
    return None


def _around(before: str, body: str, after: str) -> Progress | None:
    filled = not _EMPTY.issuperset(body)
    if match := _FRACTION.match(after):
        n, total, unit = amounts(match["n"], match["total"])
        if not filled and n > 0.1 * total:
            return None
        head = _PERCENT_END.search(before)
        rest = after[match.end() :]
        return _timed(n, total, before[: head.start()] if head else before, rest, unit)
    if match := _PERCENT_END.search(before):
        if match["n"]:
            n, total = amount(match["n"]), amount(match["total"])
            return _timed(n, total, before[: match.start()], after, None)
        percent = float(match["percent"])
        return _said(percent, before[: match.start()], after) if filled or percent <= 10 else None
    if match := _PERCENT.match(after):
        percent = float(match["percent"])
        return _said(percent, before, after[match.end() :]) if filled or percent <= 10 else None
    if match := _FRACTION_END.search(before):
        if match["total"] == "Unknown":
            return None
        return _timed(int(match["n"]), int(match["total"]), before[: match.start()], after, None)
    return None


def _keras(match: re.Match[str]) -> Progress | None:
    """Keras without a bar: `10/10 - 0s - 3ms/step - loss: 0.5`, and of an unknown length: `5/Unknown 1s 3ms/step`."""
    if match["total"] == "Unknown":
        per_second, unit = rate(match["rest"][:40])
        return Progress(0.0, int(match["n"]), None, unit, None, None, per_second)
    return _timed(int(match["n"]), int(match["total"]), "", f" {match['time']}s{match['rest'][:60]}", None)


def _said(percent: float, before: str, rest: str) -> Progress | None:
    return _timed(percent, 100, before, rest, "%")


def _timed(n: float, total: float, before: str, rest: str, unit: str | None) -> Progress | None:
    """With the time left and the rate, where what follows says them."""
    rest = rest[:100]
    per_second, of = rate(rest)
    eta = None
    if match := _SAID_ETA.search(rest):
        eta = seconds(match["time"] or match["about"] or match["less"] + "s")
    elif times := _TIMES.findall(rest):
        eta = seconds(times[-1])  # rich: what it took, then what is left
    elif match := _SHORT.search(rest):
        eta = seconds(match[0])
    if unit == "%" and of:
        per_second = None  # of another unit than the percentage
    return progress(n, total, unit=unit or of, desc=before, eta_s=eta, per_second=per_second)
