"""How fast a log is read: bytes in, event objects out, beside regexes that people use for it, on the same bytes.

Run it with `make bench-logs`, or `python tests/benchmarks/log_reading.py [--lines 500000] [--rounds 5] [--only mixed]`.

The baselines get lines that are split for them already:
`katib` is the one regex of Katib's default metrics filter, `findall` on each line;
`twelve` are twelve regexes of the kind that SageMaker's metric definitions hold, `search` of each on each line;
both turn what they find into a float, and neither finds an error, a bar or a position.
"""

import argparse
import gc
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator

from k12ai_ws.logs.pipeline import Pipeline

CHUNK = 64 << 10
KATIB = re.compile(r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)")
TWELVE = [
    re.compile(pattern)
    for pattern in (
        r"loss=([0-9.]+)",
        r"loss: ([0-9.]+)",
        r"val_loss=([0-9.]+)",
        r"val_loss: ([0-9.]+)",
        r"acc=([0-9.]+)",
        r"accuracy: ([0-9.]+)",
        r"val_acc=([0-9.]+)",
        r"val_accuracy: ([0-9.]+)",
        r"train_loss=([0-9.]+)",
        r"lr=([0-9.e-]+)",
        r"'eval_loss': ([0-9.]+)",
        r"f1: ([0-9.]+)",
    )
]
WORDS = (
    *("loaded", "cached", "shard", "worker", "from", "disk", "queue", "image", "batch", "reader", "prefetch", "model"),
    *("layer", "saved", "file", "to", "path"),
)
SAID = (
    "reader: loaded shard {a} of the cache in the background",
    "worker {b} waits for the queue",
    "decoded /data/train/{c}/{a}.png",
    "checkpoint written to /output/step_{a}",
    "GET /v1/batches/{a} HTTP/1.1 200",
    "optimizer state moved to the host, {a} tensors",
    "rank {b} joined the group at 10.0.0.{b}:29500",
    "tokenized part {b} of {c}",
    "connection {a} closed by {c}",
    "garbage collected, generation {b}",
)
NAMES = ("cats", "dogs", "birds", "ships", "trucks", "deer", "frogs", "horses")


def plain(rng: random.Random, number: int) -> str:
    """A line that shows no metric: ten things that programs say, with and without a logging library's prefix."""
    said = rng.choice(SAID).format(a=rng.randrange(10**6), b=rng.randrange(16), c=rng.choice(NAMES))
    if rng.random() < 0.5:
        second = number % 60
        return f"2026-11-23 14:{second:02d}:{second:02d},{number % 1000:03d} INFO {said}"
    return said


def prose(rng: random.Random, number: int) -> str:
    """A line of random words: hardly two of them have one shape, so that nothing can be remembered."""
    return f"[worker {rng.randrange(16)}] {' '.join(rng.sample(WORDS, 7))} {number}"


def metric(rng: random.Random, number: int) -> str:
    """A line of metrics: three of the usual kinds."""
    kind, epoch, loss, acc = rng.randrange(3), number // 1000, rng.random(), rng.random()
    if kind == 0:
        return f"epoch={epoch} step={number} loss={loss:.4f} acc={acc:.4f} lr={1e-4 * (1 + acc):.2e}"
    if kind == 1:
        return f"Epoch {epoch}/1000 - loss: {loss:.4f} - accuracy: {acc:.4f} - val_loss: {loss * 2:.4f}"
    return f"{{'loss': {loss:.4f}, 'learning_rate': {1e-5 * (1 + acc):.3e}, 'epoch': {number / 1000:.2f}}}"


def bar(rng: random.Random, number: int) -> str:
    """A state of a progress bar, and how tqdm ends it: it is drawn over by the next one, a thousand times a line."""
    n = number % 1000 + 1
    fill = "█" * (n // 50)
    return (
        f"Epoch {number // 1000}: {n // 10:3d}%|{fill:<20}| {n}/1000 [{n // 600:02d}:{n // 10 % 60:02d}<01:40, "
        f"{9 + rng.random():.2f}it/s, loss={rng.random():.3f}]" + ("" if n == 1000 else "\r")
    )


def traceback(rng: random.Random, number: int) -> str:
    """A traceback."""
    which = rng.randrange(20)
    return (
        "Traceback (most recent call last):\n"
        f'  File "/app/train.py", line {100 + which}, in main\n    train(model, loader)\n'
        f'  File "/app/loop.py", line {20 + which}, in train\n    loss = step(batch)\n'
        f'  File "/usr/lib/python3.11/site-packages/lib/core.py", line {which + 7}, in step\n    return values[key]\n'
        f"KeyError: 'sample-{number}'"
    )


LINES_EACH = 8
"""Lines of a traceback."""
LOGS: dict[str, tuple[float, float, float]] = {
    "plain": (0, 0, 0),
    "metrics": (0.10, 0, 0),
    "bars": (0, 1, 0),
    "tracebacks": (0, 0, 0.01 / LINES_EACH),
    "mixed": (0.10, 0, 0.01 / LINES_EACH),
    "prose": (0, 0, 0),
    "failures": (0, 0, 0.01),
}
"""name -> share of metric lines, of bars and of tracebacks among the records; the rest is plain. In `tracebacks` and
`mixed` one line in a hundred is a traceback's; in `failures` one in a hundred begins one.
"""


def made(name: str, lines: int) -> bytes:
    """The bytes of one log, the same in every run."""
    metrics, bars, tracebacks = LOGS[name]
    rng = random.Random(7)
    out: list[str] = []
    count = 0
    while count < lines:
        draw = rng.random()
        if draw < tracebacks:
            out.append(traceback(rng, count))
            count += out[-1].count("\n")
        elif draw < tracebacks + metrics:
            out.append(metric(rng, count))
        elif draw < tracebacks + metrics + bars:
            out.append(bar(rng, count))
        else:
            out.append(prose(rng, count) if name == "prose" else plain(rng, count))
        count += 1
    return ("\n".join(out) + "\n").replace("\r\n", "\r").encode()


def ours(data: bytes) -> int:
    """The whole pipeline with the preset `auto`: the number of its events."""
    pipeline = Pipeline(["auto"])
    events = 0
    for at, chunk in enumerate(chunks(data)):
        events += len(pipeline.feed(chunk, at_ms=at * 10))
    return events + len(pipeline.close(at_ms=10**6))


def chunks(data: bytes) -> Iterator[bytes]:
    """Pieces as a launcher gives them."""
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]


def katib(data: bytes) -> int:
    """Katib's regex on each line: the number of values found."""
    found = 0
    for line in data.decode().splitlines():
        for match in KATIB.findall(line):
            if match[1]:
                float(match[1])
                found += 1
    return found


def twelve(data: bytes) -> int:
    """Twelve regexes on each line: the number of values found."""
    found = 0
    for line in data.decode().splitlines():
        for regex in TWELVE:
            if match := regex.search(line):
                float(match[1].rstrip("."))
                found += 1
    return found


def once(read: Callable[[bytes], int], data: bytes) -> tuple[float, float, int]:
    """Wall and CPU seconds of one reading, and what it counted."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    count = read(data)
    return time.perf_counter() - wall, time.process_time() - cpu, count


def main() -> int:
    """Prints one table; each cell is the median of the rounds, which run side by side."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--lines", type=int, default=500_000, help="lines of each log (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run (default %(default)s)")
    parser.add_argument("--only", choices=LOGS, action="append", help="only this log (may be given again)")
    args = parser.parse_args()
    print(f"{'log':<11}{'':<8}{'lines/s':>12}{'CPU s per 1M':>14}{'found':>10}{'x katib':>9}{'x twelve':>9}")
    for name in args.only or LOGS:
        data = made(name, args.lines)
        lines = data.count(b"\n") + data.count(b"\r")
        readers: dict[str, Callable[[bytes], int]] = {"ours": ours, "katib": katib, "twelve": twelve}
        rounds = [{who: once(read, data) for who, read in readers.items()} for _ in range(args.rounds)]
        walls = {who: statistics.median(r[who][0] for r in rounds) for who in readers}
        for who in readers:
            cpu = statistics.median(r[who][1] for r in rounds) / lines * 1e6
            ratios = "".join(f"{walls[peer] / walls[who]:>9.2f}" for peer in ("katib", "twelve"))
            print(
                f"{name:<11}{who:<8}{lines / walls[who]:>12,.0f}{cpu:>14.2f}{rounds[0][who][2]:>10,}{ratios}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
