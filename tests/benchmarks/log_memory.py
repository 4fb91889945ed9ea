"""Whether reading a log costs memory: a gigabyte of each kind of log that could grow something, made on the fly.

    python tests/benchmarks/log_memory.py [--mb 1000] [--only KIND ...]

Prints one line a kind: resident memory (MiB) when its reading began, the most while it was read and at its end, the
size of the state that a restart would load (its JSON, the largest of eight), megabytes and lines a second. Each kind is
read in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from k12ai_ws.logs.pipeline import Pipeline

CHUNK = 64 << 10
FRAME = b'  File "/w/train.py", line %d, in f%d\n    return g(x)\n'


def _units(unit: Callable[[int], bytes]) -> Iterator[bytes]:
    """Chunks of about CHUNK bytes, made of one unit after another."""
    numbers = count()
    while True:
        parts, size = [], 0
        while size < CHUNK:
            part = unit(next(numbers))
            parts.append(part)
            size += len(part)
        yield b"".join(parts)


def _mixed(i: int) -> bytes:
    if i % 1000 == 0:
        return b"Traceback (most recent call last):\n" + FRAME % (i % 90, i % 7) + b"ValueError: bad value %d\n" % i
    if i % 10 == 0:
        return b"epoch=%d step=%d loss=%.4f val_acc=%.4f\n" % (i // 10_000, i, 1 / (i + 1), i % 100 / 100)
    if i % 10 == 5:
        return b"\rEpoch %d: %3d%%|###   | %d/100 [00:01<00:01, 7.9it/s]" % (i // 1000, i % 100, i % 100)
    return b"a line of the log with some words in it, number %d\n" % i


def _begun(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


HEADER = b"Traceback (most recent call last):\n"
KINDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "mixed": lambda: _units(_mixed),
    "one line": lambda: _units(lambda i: b"epoch=1 loss=0.5 "),
    "one line of words": lambda: _units(lambda i: "数据".encode()),
    "redrawn bars": lambda: _units(lambda i: b"\rfit: %3d%%|##  | %d/100000 [00:01<00:01, 7.9it/s]" % (i % 100, i)),
    "carriage returns": lambda: _units(lambda i: b"\r" * 1000),
    "frames": lambda: _begun(HEADER, _units(lambda i: FRAME % (i, i))),
    "exception text": lambda: _begun(HEADER + b'ValueError: \n"""\n', _units(lambda i: b"\ttext %d\n" % i)),
    "wide frames": lambda: _begun(HEADER, _units(lambda i: b"    " + b"x" * 60_000 + b"\n")),
    "a group": lambda: _begun(b"  + Exception Group " + HEADER, _units(lambda i: b"  | text %d\n" % i)),
    "a chain": lambda: _units(
        lambda i: (
            HEADER + FRAME % (i, i) + b"KeyError: %d\n\nDuring handling of the above exception, another "
            b"exception occurred:\n\n" % i
        )
    ),
    "prefixes": lambda: _units(
        lambda i: b"[rank%d]: " % i + HEADER + b'[rank%d]:   File "/w/a.py", line 3, in f\n' % i
    ),
    "wide ranks": lambda: _units(
        lambda i: b"[rank%d]: " % (i % 16) + (HEADER if i < 16 else b"    " + b"x" * 60_000 + b"\n")
    ),
    "metric names": lambda: _units(lambda i: b"epoch=%d loss_%d=0.5 acc_%x=0.25\n" % (i, i, i)),
    "shapes": lambda: _units(lambda i: b"x%d " % i * (i % 90) + b"loss: 0.5 epoch: %d\n" % i),
    "bars": lambda: _units(lambda i: b"\rfile %d: %3d%%|##  | %d/%d [00:01<00:01, 7.9it/s]" % (i, i % 100, i, i + 9)),
    "headers": lambda: _units(lambda i: b"epoch,loss,c%d\n%d,0.5,1\n" % (i, i)),
    "escapes": lambda: _units(lambda i: b"\x1b]0;title %d" % i + b"\x1b[" + b"1;" * (i % 90)),
    "boxes": lambda: _units(lambda i: "│ loss_%d │ 0.5 │\n".encode() % i),
}


def _resident() -> float:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(kind: str, megabytes: float) -> dict[str, object]:
    """Reads so much of one kind of log, in this process."""
    pipeline, chunks, size, lines, at_ms = Pipeline(["auto"]), KINDS[kind](), 0, 0, 0
    for _ in range(4):  # what is made once, at the first lines, is no growth
        pipeline.feed(next(chunks))
    before = peak = _resident()
    state, seconds, bound = 0, 0.0, int(megabytes * 1e6)
    next_dump = bound // 8
    while size < bound:
        chunk = next(chunks)
        began = time.thread_time()
        events = pipeline.feed(chunk, at_ms=at_ms)
        seconds += time.thread_time() - began
        size += len(chunk)
        lines += chunk.count(b"\n")
        at_ms += 20
        del events
        peak = max(peak, _resident())
        if size >= next_dump:
            state = max(state, len(json.dumps(pipeline.dump())))
            next_dump += bound // 8
    pipeline.close(at_ms=at_ms)
    return {
        "kind": kind,
        "mb": round(size / 1e6),
        "rss_before": round(before, 1),
        "rss_peak": round(peak, 1),
        "rss_after": round(_resident(), 1),
        "state_bytes": state,
        "mb_per_s": round(size / 1e6 / seconds, 1),
        "lines_per_s": round(lines / seconds),
    }


def main() -> None:
    """One process a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=float, default=1000)
    parser.add_argument("--only", nargs="*", default=list(KINDS), metavar="KIND")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        print(json.dumps(measure(args.here, args.mb)), flush=True)
        return
    for kind in args.only:
        subprocess.run([sys.executable, __file__, "--mb", str(args.mb), "--here", kind], check=True)


if __name__ == "__main__":
    main()
