"""Whether time grows with a log's size and no faster: long lines and many lines of what readers find hardest."""

import time
from collections.abc import Iterator
from random import Random

from . import grammar
from .attacks import Attack, attacks, patterns, steep, uses
from .mutate import WORDS
from .oracles import Broken, Case
from .patience import Hanging, patience
from .script import Reader

PACKAGES = ("k12ai_ws.logs",)
CONTEXTS = (
    "{}\n",
    "epoch=3 loss=0.5 {}\n",
    'Traceback (most recent call last):\n  File "/w/a.py", line 3, in f\n    {}\nValueError: x\n',
    'Traceback (most recent call last):\n  File "/w/a.py", line 3, in f\n    x\nRuntimeError: {}\n',
    "{}Traceback (most recent call last):\nValueError: x\n",
    "Traceback (most recent call last):\n{}\n",
    "{}\r{}\n",
    "RuntimeError: x\n{}\n",
    "  + Exception Group Traceback (most recent call last):\n  | {}\n",
    "epoch,loss\n{}\n",
    "{}%| x\n",
    "epoch {'loss': {}}\n",
    "{} 3/10 50%|# Error: loss=0.5, epoch\n",
    "epoch 3/10 50%| {} 3/10 50%|# Error: loss=0.5, epoch {'a': 0.5}\n",
)
"""Where in a log a hard text may stand."""
SIZES = (60, 1_000, 8_000, 64_000)
"""Characters of one long text, smallest first: what grows fast is seen before it takes for ever."""
NS_PER_BYTE = 6_000
"""Most nanoseconds for a byte of the hardest text; an ordinary line's byte takes 20."""
NS_PER_LINE = 100_000
"""And for a line, however short: each may be an error of its own, with its cause looked up."""
FLOOR_S = 0.06
PATIENCE_S = 5.0


def seconds_for(data: bytes, reader: Reader | None = None) -> float:
    """Thread time of one reading; PATIENCE_S where it took longer."""
    pipeline = (reader or Reader()).pipeline()
    began = time.thread_time()
    try:
        with patience(PATIENCE_S):
            pipeline.feed(data)
            pipeline.close(at_ms=0)
    except Hanging:
        return PATIENCE_S
    return time.thread_time() - began


def too_slow(data: bytes) -> float | None:
    """Nanoseconds per byte where reading takes too long even at a second try."""
    most = max(FLOOR_S, (NS_PER_BYTE * len(data) + NS_PER_LINE * data.count(b"\n")) / 1e9)
    if (seconds := seconds_for(data)) > most and (seconds := min(seconds, seconds_for(data))) > most:
        return seconds * 1e9 / len(data)
    return None


def logs_of(attack: Attack, context: str) -> Iterator[bytes]:
    """One long text in its place, longer and longer; then many short ones."""
    for size in SIZES:
        yield context.replace("{}", attack.text(size)).encode("utf-8", "replace")
    for size, times in ((300, 200), (3_900, 16)):
        yield context.replace("{}", attack.text(size)).encode("utf-8", "replace") * times


def steep_attacks(rng: Random, until: float) -> Iterator[Attack]:
    """Texts at which one of our patterns alone already works too long; its place in a log is still to be found."""
    for package in PACKAGES:
        called, known = uses(package), list(patterns(package))
        rng.shuffle(known)
        for where, pattern in known:
            methods = called.get(where.rpartition(".")[2], frozenset(("match", "search")))
            found = list(attacks(where, pattern, rng))
            for attack in rng.sample(found, min(len(found), 12)):
                if time.monotonic() > until:
                    return
                if steep(pattern, methods, attack):
                    yield attack
                    break


def hard(rng: Random, until: float) -> Iterator[tuple[Attack, str]]:
    """Texts and the places to put them: from our patterns, and then from pieces of logs, until that time."""
    for attack in steep_attacks(rng, time.monotonic() + 0.7 * (until - time.monotonic())):
        for context in CONTEXTS:
            yield attack, context
    while time.monotonic() < until:
        unit = rng.choice((rng.choice(WORDS), grammar.log(rng)[: rng.randint(1, 60)])).decode("utf-8", "replace")
        if unit:
            yield Attack("-", f"grammar {unit!r}", "", unit, rng.choice(("", "\n", "x"))), rng.choice(CONTEXTS)


def slowest(rng: Random, seconds: float) -> Iterator[tuple[Case, Broken]]:
    """What takes too long, once for each pattern and place."""
    until, said = time.monotonic() + seconds, set[str]()
    for attack, context in hard(rng, until):
        if time.monotonic() > until:
            return
        if attack.where in said:
            continue
        for data in logs_of(attack, context):
            if (ns := too_slow(data)) is not None:
                said.add(attack.where)
                words = f"{ns:.0f} ns a byte for {len(data)} bytes: {attack.where}: {attack.head[:20]!r}, then "
                yield Case(data, 0), Broken("growth", f"{words}{attack.unit[:40]!r} again and again, in {context!r}")
                break
