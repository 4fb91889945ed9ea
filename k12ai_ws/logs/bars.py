"""What progress bars show: tqdm, Keras, rich, percentages, `Epoch 3/10`."""

import re

from k12ai_ws.wire.bodies import Progress

_COUNT = r"(\d[\d.,]*[kKMGT]?i?B?)"
_BAR = re.compile(r"(?P<desc>.*?):?\s*(?P<percent>\d{1,3})$")
_AFTER_BAR = re.compile(
    rf"[^|]*\|\s*(?P<n>{_COUNT})/(?P<total>{_COUNT})\s*"
    r"(?:\[(?P<elapsed>[\d:]+)<(?P<eta>[\d:?]+)(?:,\s*(?P<rate>[^,\]]*))?)?"
)
_COUNTED = re.compile(r"(?P<desc>.*?):?\s*\[(?P<n>\d+)/(?P<total>\d+)\]\s+\d{1,3}%\|")
_KERAS = re.compile(
    r"^\s*(?P<n>\d+)/(?P<total>\d+)\s+(?:\[[=>.]{3,}\]|[━╸╺]{3,}|-\s\d+s\b)[\s-]*(?:ETA:\s*(?P<eta>[\d:]+)s?|(?P<left>\d+)s\b)?"
)
_PERCENT = re.compile(
    r"^\s*(?P<desc>[^%|]*?):?\s*(?:\[?[=#>.━╸╺█-▏ -]*[=#>━█-▏][=#>.━╸╺█-▏ -]*\]?\|?)?\s*(?P<percent>\d{1,3}(?:\.\d+)?)%"
)
_BARRED = re.compile(r"[━█#=]{4}|[█-▏]")
_EPOCH = re.compile(r"^\W*epoch\s*:?\s*\[?(?P<n>\d+)\s*(?:/|of)\s*(?P<total>\d+)\]?\W*$", re.IGNORECASE)
_UNIT = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def read_progress(line: str) -> Progress | None:
    """What a bar in this line shows, or None where there is none."""
    at = line.find("%|")
    if at > 0:
        after = _AFTER_BAR.match(line, at + 2)
        if after and (before := _BAR.match(line[max(0, at - 300) : at].lstrip())):
            return _bar({**before.groupdict(), **after.groupdict()})
        if counted := _COUNTED.match(line):
            return _bar(counted.groupdict())
    if "/" in line:
        start = line.lstrip()[:1]
        if start.isdigit() and (match := _KERAS.match(line)):
            return _bar(match.groupdict())
        if "poch" in line and (match := _EPOCH.match(line)):
            n, total = int(match["n"][:9]), int(match["total"][:9])
            if 0 < n <= total:
                return Progress((n - 1) / total, n - 1, total, unit="epoch")
    if "%" in line and len(line) < 1000 and _BARRED.search(line) and (match := _PERCENT.match(line)):
        percent = float(match["percent"])
        if percent <= 100:
            return Progress(percent / 100, percent, 100, unit="%", desc=match["desc"].strip() or None)
    return None


def _bar(found: dict[str, str | None]) -> Progress | None:
    n, total = _count(found["n"] or ""), _count(found["total"] or "")
    if total <= 0 or n > total * 1.001:
        return None
    rate = (found.get("rate") or "").strip()
    unit = None
    if "/" in rate:
        left, right = rate.split("/", 1)
        unit = right.split()[0] if right and right != "s" else re.sub(r"^[\d.?\s]+[kMGT]?", "", left)
    if left_s := found.get("left"):
        eta: float | None = float(left_s)
    else:
        eta = _seconds(found.get("eta") or "")
    return Progress(
        min(1.0, n / total), n, total, unit=unit or None, desc=(found.get("desc") or "").strip() or None, eta_s=eta
    )


def _count(text: str) -> float:
    text = text.rstrip("iB").replace(",", "")
    scale = _UNIT.get(text[-1:], 0)
    try:
        value = float(text[:-1]) * scale if scale else float(text)
    except ValueError:
        return 0
    return int(value) if value.is_integer() else value


def _seconds(text: str) -> float | None:
    parts = text.split(":")
    if not text or not all(part.isdigit() and len(part) < 9 for part in parts):
        return None
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return float(seconds)
