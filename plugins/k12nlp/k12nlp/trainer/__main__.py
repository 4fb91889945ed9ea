"""The command line: `python -m k12nlp.trainer train --epochs 20 --output runs/first`."""

import argparse
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from . import tasks
from .paths import BUNDLED


def parser() -> argparse.ArgumentParser:
    """All tasks and options."""
    top = argparse.ArgumentParser(
        prog="python -m k12nlp.trainer", description="Text classification.", allow_abbrev=False
    )
    chosen = top.add_subparsers(dest="task", required=True)

    train = chosen.add_parser("train", help="train a model, and test it on texts that it has never seen")
    train.set_defaults(run=tasks.train)
    _add_places(train)
    train.add_argument("--dataset", default=BUNDLED, help="'subjects', or a .csv or .jsonl file below --datasets")
    train.add_argument("--text-field", default="text")
    train.add_argument("--label-field", default="label")
    train.add_argument("--model", choices=("linear", "transformer"), default="linear")
    train.add_argument("--epochs", type=int, default=20, help="passes over the training texts")
    train.add_argument("--batch-size", type=int, default=16)
    train.add_argument("--learning-rate", type=float, default=None, help="default: the model's own")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--resume", action="store_true", help="go on from the model in --output")

    evaluate = chosen.add_parser("evaluate", help="measure the model in --output")
    evaluate.set_defaults(run=tasks.evaluate)
    predict = chosen.add_parser("predict", help="label texts with the model in --output")
    predict.set_defaults(run=tasks.predict)
    for task in (evaluate, predict):
        _add_places(task)
        task.add_argument("--dataset", default=None, help="default: the one that the model was trained on")
        task.add_argument("--text-field", default=None)
        task.add_argument("--label-field", default=None)
        task.add_argument("--split", choices=("train", "val", "test", "all"), default="test")
    predict.add_argument("--text", action="append", default=[], help="a text to label; may be repeated")
    predict.add_argument("--texts", default=None, help="texts to label, as one JSON array")
    predict.add_argument("--file", default=None, help="a .csv or .jsonl file below --datasets; labels may be absent")
    return top


def _add_places(task: argparse.ArgumentParser) -> None:
    task.allow_abbrev = False
    task.add_argument("--output", type=Path, required=True, help="folder of the model and the results")
    task.add_argument("--datasets", type=Path, default=None, help="folder that holds the data files")


def main(argv: Sequence[str] | None = None) -> None:
    """Runs one task."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # file names and labels may be in any script, whatever the locale
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    options = parser().parse_args(argv)
    for name in ("epochs", "batch_size"):
        if getattr(options, name, 1) < 1:
            parser().error(f"--{name.replace('_', '-')} must be at least 1")
    options.run(options)


if __name__ == "__main__":
    main()
