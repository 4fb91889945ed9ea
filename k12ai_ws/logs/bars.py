"""What progress bars show: tqdm first, because logs are full of it; `drawn` and `counters` have the others.

Source of the form: tqdm's documentation of `bar_format`: `{desc}: 45%|####  | 9/20 [00:01<00:02, 7.9it/s, postfix]`.
"""

import re

from k12ai_ws.wire.bodies import Progress

from .amounts import AMOUNT, amount, progress, rate, seconds, title
from .counters import read_counter
from .drawn import read_drawn

_PLAIN = re.compile(
    r" *(\d{1,15})/(\d{1,15}) \[\d[\d:]{3,9}<(?:(\d\d):(\d\d)|([\d:?]{1,12})), *"
    r"(\d{1,9}(?:\.\d{1,9})?)(?:(it|[a-jl-z][A-Za-z]*)/s|s/([A-Za-z]+))[,\]]"
)
_TAIL = re.compile(
    rf"(?:[^|]*\|)?\s*(?P<n>{AMOUNT})\s?/\s?(?P<total>{AMOUNT})\s*"
    r"(?:\[\s*(?P<elapsed>[\d:]+)\s*<\s*(?P<eta>[\d:?]+)(?:\s*,\s*(?P<rate>[^,\]]{0,60}))?)?"
)
_BARE = re.compile(
    rf"(?<![\w/.])(?P<n>{AMOUNT})/(?P<total>{AMOUNT}) \[[\d:]+<(?P<eta>[\d:?]+)(?:, *(?P<rate>[^,\]]{{0,60}}))?"
)
_ENDLESS = re.compile(
    rf"(?:(?P<n>{AMOUNT}) ?(?P<unit>[A-Za-z]{{1,20}})|(?P<any>\d{{1,15}})/\?) "
    r"\[\d[\d:]{3,9}(?:<\?)?, *(?P<rate>[^,\]]{1,60})[\],]"
)
_SHARE = re.compile(r"\s*\d{1,3}%\s*$")
_COUNTED = re.compile(r"(?P<desc>[^\[]{0,120}):?\s*\[(?P<n>\d+)/(?P<total>\d+)\]\s+\d{1,3}%\|")

SIGNS = "|".join(
    [
        r"0\s?%",
        r"0\s{0,6}(?:/|of|out of)\s{0,8}(?:0|Unknown|\?)",  # 9/20
        r"[0?]\s?(?:[A-Za-z]{0,20}/s\b|s/[A-Za-z])",  # a rate
        r"\beta: 0",
        r"[\[|][=#*>.\-_@+ ]{5}|^#|\.{10} ",
        r"[\x{2501}\x{2578}\x{257a}\x{2580}-\x{259f}\x{25a0}-\x{25b6}\x{25c9}-\x{25ef}\x{2219}\x{2801}-\x{28ff}]",
    ]
)
"""One of these (RE2's syntax) is found in each line that may show progress, where all its digits are written `0`."""


def read_progress(line: str) -> Progress | None:
    """What a bar or a counter in this line shows, or None where there is none. Units per second, seconds."""
    at = line.find("%|")
    if at > 0:
        start = at - 1
        while start >= 0 and line[start].isdigit():
            start -= 1
        if 0 < at - 1 - start <= 3:
            desc = line[max(0, start - 300) : start + 1].strip(" :") if start >= 0 else ""
            if match := _PLAIN.match(line, line.find("| ", at + 1) + 1 or at + 2):
                return _plain(match, desc)
            if match := _TAIL.match(line, at + 2):
                return _tail(match, desc)
        if match := _COUNTED.match(line):
            return progress(int(match["n"][:15]), int(match["total"][:15]), desc=match["desc"])
    if "[" in line and ("/s" in line or "s/" in line):
        if "<" in line and (match := _BARE.search(line, 0, 2000)):
            return _tail(match, _SHARE.sub("", line[: match.start()]))
        if match := _ENDLESS.search(line, 0, 2000):
            return _endless(match, line[: match.start()])
    return (read_drawn(line) if len(line) < 1000 else None) or read_counter(line)


def _plain(match: re.Match[str], desc: str) -> Progress | None:
    """The common form: whole numbers without a scale."""
    n_text, total_text, minutes, secs, clock, rate_text, unit, inverse = match.groups()
    n, total = int(n_text), int(total_text)
    if total <= 0 or n > total * 1.001:
        return None
    per: float | None = float(rate_text)
    if inverse:
        unit, per = inverse, (1 / per if per else None)
    eta = float(int(minutes) * 60 + int(secs)) if minutes else seconds(clock)
    if desc and ("  " in desc or "\t" in desc or desc[0] > "\u2000"):
        desc = title(desc) or ""
    return Progress(n / total if n < total else 1.0, n, total, unit, desc or None, eta, per)


def _tail(match: re.Match[str], desc: str) -> Progress | None:
    per_second, unit = rate(match["rate"] or "")
    n, total = amount(match["n"]), amount(match["total"])
    return progress(n, total, unit=unit, desc=desc, eta_s=seconds(match["eta"] or ""), per_second=per_second)


def _endless(match: re.Match[str], desc: str) -> Progress | None:
    """A bar that does not know its end: `22it [00:00, 102it/s]`. Its `value` stays 0, its `total` unknown."""
    per_second, unit = rate(match["rate"])
    if match["any"] is None and (unit or "") != match["unit"]:
        return None
    return Progress(
        0.0, amount(match["n"] or match["any"]), None, unit, title(desc.partition("|")[0]), None, per_second
    )
