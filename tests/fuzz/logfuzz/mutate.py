"""Small changes to a log: most keep it nearly right, which is where readers go wrong."""

from collections.abc import Sequence
from random import Random

from . import crashes, grammar

WORDS = (
    b"Traceback (most recent call last):\n",
    b"  + Exception Group Traceback (most recent call last):\n",
    b'  File "/w/a.py", line 3, in f\n',
    b"    | ",
    b"    +---------------- 1 ----------------\n",
    b"    +------------------------------------\n",
    b"\nDuring handling of the above exception, another exception occurred:\n\n",
    b"ValueError: x\n",
    b"RuntimeError: x:\n",
    b'"""\n',
    b"=" * 12 + b"\n",
    b"%|",
    b"/10",
    b"loss=",
    b"nan",
    b"{",
    b"}",
    b": ",
    b"\n",
    b"\r",
    b"\n\n",
    b" ",
    b"|",
    b"Epoch 3/10\n",
    b"[rank1]: ",
    b"^^^^",
    *grammar.CODES,
)


def mutated(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """The log after one to four changes."""
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(CHANGES)(data, rng, others)
    return data


def _cut(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    a, b = sorted(rng.randint(0, len(data)) for _ in range(2))
    return data[:a] + data[b:]


def _end(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    return data[: rng.randint(0, len(data))]


def _word(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(WORDS) + data[at:]


def _byte(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _again(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    a, b = sorted(rng.randint(0, len(data)) for _ in range(2))
    b = min(b, a + 400)
    return data[:b] + data[a:b] * rng.randint(1, 20) + data[b:]


def _lines(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True)
    if len(lines) < 2:
        return data
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def _prefix(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    prefix = rng.choice(crashes.PREFIXES).encode()
    return b"".join(prefix + line for line in data.splitlines(keepends=True))


def _crlf(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\r\r\n", b"\n\n")))


def _splice(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others) if others else grammar.log(rng)
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _woven(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    columns = [data.splitlines(keepends=True), (rng.choice(others) if others else b"").splitlines(keepends=True)]
    out = []
    while any(columns):
        column = rng.choice([lines for lines in columns if lines])
        take = rng.randint(1, 3)
        out += column[:take]
        del column[:take]
    return b"".join(out)


def _grown(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(grammar.MAKERS)[0](rng) + data[at:]


CHANGES = (_cut, _end, _word, _word, _byte, _again, _lines, _prefix, _crlf, _splice, _woven, _grown, _grown)
