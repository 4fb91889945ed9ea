"""`python -m logfuzz`: hunts for a while, or replays what was found."""

import argparse
import hashlib
import sys
import time
from pathlib import Path
from random import Random, SystemRandom

from .engine import Hunt, smaller
from .growth import slowest
from .oracles import Broken, Case, examine
from .seeds import SEEDS, read_seed, write_seed


def main() -> int:
    """0: nothing found. 1: something is broken. 2: a file to replay is none."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long (default: 600)")
    parser.add_argument("--seed", type=int, help="what all choices follow from (default: a random one, printed)")
    parser.add_argument("--replay", nargs="+", metavar="FILE", help="read these logs again and say what is broken")
    parser.add_argument("--folder", default="build/fuzz", help="where logs that break something go")
    parser.add_argument("--more", action="append", default=[], metavar="GLOB", help="more logs to begin with")
    args = parser.parse_args()
    return replay([Path(name) for name in args.replay]) if args.replay else hunt(args)


def replay(paths: list[Path]) -> int:
    """Reads saved logs again."""
    bad = 0
    for path in paths:
        if not path.is_file():
            print(f"{path}: there is no such file; failing logs are saved in build/fuzz")
            return 2
        try:
            for case in read_seed(path):
                examine(case)
        except Broken as broken:
            bad += 1
            print(f"{path}: BROKEN {broken}")
            if broken.__cause__:
                sys.excepthook(type(broken.__cause__), broken.__cause__, broken.__cause__.__traceback__)
        else:
            print(f"{path}: all promises hold")
    return int(bad > 0)


def hunt(args: argparse.Namespace) -> int:
    """Hunts, and says what came of it."""
    seed = SystemRandom().randrange(1 << 32) if args.seed is None else args.seed
    rng, folder = Random(seed), Path(args.folder)
    print(f"seed {seed}, {args.seconds:g} s; what breaks goes to {folder}", flush=True)
    began, saved = time.monotonic(), 0

    def report(case: Case, broken: Broken) -> None:
        nonlocal saved
        saved += 1
        case, broken = smaller(case, broken)
        name = f"{broken.oracle.replace(' ', '-')}-{hashlib.sha256(case.data).hexdigest()[:10]}.log"
        folder.mkdir(parents=True, exist_ok=True)
        write_seed(folder / name, case)
        print(f"BROKEN {folder / name} ({len(case.data)} bytes)\n  {broken}\n  {case.data[:2000]!r}", flush=True)

    hunting = Hunt(rng, [case.data for path in sorted(SEEDS.glob("*.log")) for case in read_seed(path)[:1]])
    hunting.kept += [path.read_bytes()[:60_000] for glob in args.more for path in sorted(Path().glob(glob))]
    growth_s = min(args.seconds * 0.2, 60)
    for case, broken in slowest(rng, growth_s):
        report(case, broken)
    hunting.run(args.seconds - (time.monotonic() - began), report)
    print(
        f"{hunting.tried} logs in {time.monotonic() - began:.0f} s, {len(hunting.kept)} kept for {len(hunting.steps)} "
        f"steps of code; broken: {saved}"
    )
    for kind, times in sorted(hunting.found.items(), key=lambda item: -item[1]):
        print(f"  {times:6} {kind}")
    print(
        f"replay: make fuzz REPLAY=FILE; the same hunt again: make fuzz SEED={seed}" if saved else "nothing is broken"
    )
    return int(saved > 0)


if __name__ == "__main__":
    sys.exit(main())
