"""Counters in words: `Epoch 3/10`, `[10/100]`, `Step [5/600]`, `Progress: 45%`, `Receiving objects: 45% (9/20)`.

A number of a hundred is mostly no progress (an accuracy, a load, a disk), and neither is a fraction (a date, a test
summary): a word must say that something goes on.
"""

import re

from k12ai_ws.wire.bodies import Progress

from .amounts import AMOUNT, amounts, progress, rate, seconds

_SLASH = re.compile(r"\d\s{0,6}/\s{0,8}\d")
_UNITS = r"epochs?|steps?|iter(?:ation)?s?|batch(?:es)?|rounds?|updates?|trials?|folds?|episodes?|chunks?|shards?"
_OUT_OF = re.compile(
    rf"(?<![\w/.-])(?:(?P<word>{_UNITS}|tree|estimator)|Done)\s{{1,4}}(?P<n>\d{{1,12}})\s(?:out )?of\s{{1,4}}"
    r"(?P<total>\d{1,12})(?![\w/.])",
    re.IGNORECASE,
)
"""`Step 3 of 10`; joblib's `[Parallel(n_jobs=2)]: Done  10 out of 100 | elapsed: ...`."""
_ETA_ITER = re.compile(r"\beta: (?P<eta>(?:\d+ days?, )?[\d:]{4,12})\s+iter: (?P<n>\d{1,12})\b")
_EACH = re.compile(r"\stime: (?P<each>\d{1,6}(?:\.\d{1,9})?)\b")
_HEADING = re.compile(r"\W*epoch\s*:?\s*\[?(?P<n>\d{1,9})\s*(?:/|of)\s*(?P<total>\d{1,9})\]?\W*$", re.IGNORECASE)
_COUNTER = re.compile(
    rf"(?<![\w/.-])(?P<word>{_UNITS})(?:\s?\(\w{{1,12}}\))?\s*[:=#]?\s*[\[(]?\s{{0,8}}(?P<n>\d{{1,12}})\s{{0,6}}/\s{{0,8}}"
    r"(?P<total>\d{1,12})(?![\w/.:-]*[\d/])",
    re.IGNORECASE,
)
_INNER = re.compile(
    r"\bepoch\s?(?:\(\w{1,12}\))?\s*:?\s*(?:\[\s*(?P<epoch>\d{1,9})(?:/\d{1,9})?\s*\]|(?P<bare>\d{1,9})(?!\d):?)\s*"
    r"\[?\s*(?P<n>\d{1,12})\s{0,6}/\s{0,8}(?P<total>\d{1,12})(?=[\s\]:,(])",
    re.IGNORECASE,
)
_FIRST = re.compile(r"\s*\[\s*(?:(?P<n>\d{1,12})\s?/\s?(?P<total>\d{1,12})|(?P<percent>\d{1,3})%)\s*\](?=\s|$)")
_DOING = re.compile(
    r"\s*(?:remote:\s)?(?P<desc>(?:(?:down|up)load|extract|unpack|process|load|sav|copy|fetch|receiv|resolv|count|compress|writ"
    r"|read|generat|convert|train|evaluat|validat|tokeniz|encod|decod|scan|index|build|compil|install|prepar|render|updat"
    r"|pull|push|verify|checkout|check|filter|analyz|sampl|predict|search|transferr)(?:ing)\b(?:\s[^%=:|\d][^%=:|\s]{0,60}){0,5}|progress)[:.,(\u2026\s\[-]{1,4}\s*(?:at\s)?",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"(?P<percent>\d{1,3}(?:\.\d{1,6})?)\s?%")
_FRACTION = re.compile(rf"\(?(?P<n>{AMOUNT})\s?/\s?(?P<total>{AMOUNT})(?![\w/])")
_ALONE = re.compile(
    r"\s*(?P<percent>\d{1,3}(?:\.\d{1,6})?)\s?%(?:\s+(?:complete|completed|done|finished))?\W*$", re.IGNORECASE
)
_LEFT = re.compile(r"\b(?:ETA|eta)\s*:?\s*(?P<time>(?:\d+ days?, )?[\d:]{4,12}|(?:\d{1,6}\s?[dhms]\s?){1,4})")
_MEASURED = re.compile(r"acc|loss|precision|recall|score|error|rate|usage|f1|auc|util", re.IGNORECASE)
"""A percentage of these is no progress."""
_OTHER_SHARE = re.compile(r"\s+(?:of\s+(?![\d.])|[a-z]{3,}\s)")
"""Behind a percentage: it is a share of something (`45% of the data`)."""


def read_counter(line: str) -> Progress | None:
    """What a counter in this line shows, or None where there is none."""
    if len(line) > 1000:
        return None
    if "eta: " in line and (match := _ETA_ITER.search(line, 0, 200)):
        return _by_eta(match, line)
    if " of " in line and (match := _HEADING.match(line) or _OUT_OF.search(line, 0, 200)):
        return _heading(match) if match.re is _HEADING else _counted(match, line, "", (match["word"] or "task").lower())
    if "/" in line and _SLASH.search(line, 0, 200):
        if "poch" in line or "POCH" in line:
            if match := _HEADING.match(line):
                return _heading(match)
            if match := _INNER.search(line, 0, 200):
                return _counted(match, line, f"Epoch {match['epoch'] or match['bare']}", None)
        counters = list(_COUNTER.finditer(line, 0, 200))
        if counters:
            outer = counters[0][0] if len(counters) > 1 else ""
            return _counted(counters[-1], line, outer, counters[-1]["word"].lower())
        if (match := _FIRST.match(line)) and match["n"]:
            return _counted(match, line, "", None)
    return _worded(line) if "%" in line or "/" in line else None


def _heading(match: re.Match[str]) -> Progress | None:
    """An epoch begins: those before it are done."""
    n, total = int(match["n"]), int(match["total"])
    return progress(n - 1, total, unit="epoch") if n <= total else None


def _by_eta(match: re.Match[str], line: str) -> Progress | None:
    """Detectron2's line, which has no total: `value` by the time that an iteration takes, where the line says it."""
    n, eta = int(match["n"]), seconds(match["eta"])
    each = _EACH.search(line, match.end())
    if eta is None or not each or not float(each["each"]) or not n:
        return Progress(0.0, n, None, "iter", None, eta)
    done = n * float(each["each"])
    return Progress(done / (done + eta), n, None, "iter", None, eta, round(1 / float(each["each"]), 6))


def _counted(match: re.Match[str], line: str, desc: str, unit: str | None) -> Progress | None:
    left = _LEFT.search(line, match.end(), match.end() + 400)
    eta = seconds(left["time"]) if left else None
    return progress(
        int(match["n"]), int(match["total"]), unit=unit, desc=desc.replace("[", "").replace("]", ""), eta_s=eta
    )


def _worded(line: str) -> Progress | None:
    """What a line of words shows: a share alone, or behind a word that says that something goes on."""
    if match := _ALONE.match(line) or _FIRST.match(line):
        percent = match["percent"]
        return progress(float(percent), 100, unit="%") if percent else None
    at = max(line.find("rogress"), line.find("ROGRESS"))
    doing = _DOING.match(line, max(0, at - 1))
    if not doing:
        return None
    rest, desc = line[doing.end() : doing.end() + 160], doing["desc"]
    per_second, unit = rate(rest)
    left = _LEFT.search(rest)
    eta = seconds(left["time"]) if left else None
    if match := _PERCENT.match(rest):
        if counted := _FRACTION.match(rest[match.end() :].lstrip()):
            n, total, size = amounts(counted["n"], counted["total"])
            return progress(n, total, unit=size, desc=desc, eta_s=eta)
        after = rest[match.end() :]
        if _MEASURED.search(desc):
            return None
        if not desc.lower().startswith("progress") and _OTHER_SHARE.match(after):
            return None
        return progress(float(match["percent"]), 100, unit="%", desc=desc, eta_s=eta)
    if match := _FRACTION.match(rest):
        n, total, size = amounts(match["n"], match["total"])
        return progress(n, total, unit=size or unit, desc=desc, eta_s=eta, per_second=per_second)
    return None
