"""The task `evaluate`: how good the trained model is on one split of a dataset."""

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .artifacts import load_model, save_confusion, save_metrics
from .data import SPLITS, Labels, load
from .images import Look
from .models import Probabilities, Training, score
from .report import metrics_line


def evaluate(options: Namespace) -> None:
    """Prints loss, accuracy and macro F1; writes them, each class's and the confusion matrix to the output folder."""
    card, model = load_model(options.output, Training(device=options.device))
    split = options.split
    data = load(
        options.dataset or card.dataset,
        options.datasets,
        Look(card.image_size, card.color),
        SPLITS if split == "all" else (split,),
    )
    truth = data.labels(card.classes)
    print(f"{card.model} of epoch {card.epoch} on {data.name}: {len(data)} images of split {split}")
    result, matrix = judge(model.predict(data.images, options.batch_size), truth, card.classes)
    save_confusion(options.output, card.classes, matrix)
    save_metrics(
        options.output,
        "evaluate",
        {
            "model": card.model,
            "epoch": card.epoch,
            "dataset": data.name,
            "split": split,
            **result,
            "majority_baseline": majority_baseline(truth),
        },
    )
    print(metrics_line({f"{split}_{name}": result[name] for name in ("loss", "accuracy", "macro_f1")}))


def judge(
    probabilities: Probabilities, truth: Labels, classes: Sequence[str]
) -> tuple[dict[str, Any], npt.NDArray[np.int64]]:
    """Loss, accuracy, macro F1 (the mean over the classes that occur) and each class's figures; the confusion matrix.

    A class's precision is 0 where it was never predicted.
    """
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(matrix, (truth, probabilities.argmax(axis=1)), 1)
    right, support, named = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    precision, recall = right / np.maximum(named, 1), right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(support + named, 1)
    loss, accuracy = score(probabilities, truth)
    rows = zip(classes, precision.tolist(), recall.tolist(), f1.tolist(), support.tolist(), strict=True)
    result = {
        "loss": loss,
        "accuracy": accuracy,
        "macro_f1": float(f1[support > 0].mean()),
        "images": len(truth),
        "per_class": {n: {"precision": p, "recall": r, "f1": f, "images": s} for n, p, r, f, s in rows},
    }
    return result, matrix


def majority_baseline(truth: Labels) -> float:
    """The accuracy of always naming the commonest class."""
    return float(np.bincount(truth).max() / len(truth))
