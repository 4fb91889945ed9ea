"""The trainer's command line: `python -m k12cv.trainer train --output DIR` and its like. See `--help`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from .data import BUNDLED


def parser() -> argparse.ArgumentParser:
    """All options of the three tasks, with the defaults that the service has."""
    top = argparse.ArgumentParser(prog="python -m k12cv.trainer", description="Image classification")
    tasks = top.add_subparsers(dest="task", required=True, metavar="TASK")
    train = tasks.add_parser("train", help="train a classifier and test it")
    evaluate = tasks.add_parser("evaluate", help="measure the trained classifier")
    predict = tasks.add_parser("predict", help="classify images with the trained classifier")
    for task in (train, evaluate, predict):
        task.add_argument("--output", type=Path, required=True, help="folder of the model and the results")
        task.add_argument("--datasets", type=Path, help="datasets root; without it, only the bundled digits")
        task.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    train.add_argument("--dataset", default=BUNDLED, help="digits, or a folder or .zip below the datasets root")
    train.add_argument("--model", default="mlp", choices=["softmax", "mlp", "cnn"])
    train.add_argument("--epochs", type=_positive, default=20)
    train.add_argument("--learning-rate", "--lr", type=float, default=0.005)
    train.add_argument("--batch-size", type=_positive, default=32)
    train.add_argument("--weight-decay", type=float, default=0.01)
    train.add_argument("--hidden", type=_positive, default=128, help="width of the hidden layer")
    train.add_argument("--image-size", type=_positive, help="pixels; 8 for digits, 32 for others")
    train.add_argument("--color", default="gray", choices=["gray", "rgb"])
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--threads", type=_positive, default=1, help="CPU threads of cnn")
    train.add_argument("--resume", action="store_true", help="go on from the model in the output folder")
    train.add_argument("--augment", help="Python file below the datasets root with augment(images, labels)")
    for task in (evaluate, predict):
        task.add_argument("--dataset", help="as for train; by default the one that the model was trained on")
        task.add_argument("--split", default="test", choices=["test", "val", "train", "all"])
        task.add_argument("--batch-size", type=_positive, default=256)
    predict.add_argument("--files", action="append", default=[], help="an image below the datasets root; repeatable")
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one task; whatever goes wrong is raised."""
    options = parser().parse_args(arguments)
    match options.task:
        case "train":
            from .train import train

            train(options)
        case "evaluate":
            from .evaluate import evaluate

            evaluate(options)
        case _:
            from .predict import predict

            predict(options)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    main()
