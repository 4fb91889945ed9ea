"""How good predictions are."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .classifier import Classifier, Numbers

CHUNK = 256
"""Texts scored at once: bounds the memory that the probabilities of a large file take."""


class Guesses(NamedTuple):
    """For each text the number of the likeliest class, its probability, and (with truths) that of the true class."""

    label: Numbers
    probability: NDArray[np.float64]
    of_truth: NDArray[np.float64]


def guess(model: Classifier, encoded: Any, truths: Numbers | None = None) -> Guesses:
    """The model's answers for the encoded texts, in their order."""
    parts = list(_guess_in_chunks(model, encoded, truths))
    return Guesses(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _guess_in_chunks(model: Classifier, encoded: Any, truths: Numbers | None) -> Iterator[Guesses]:
    for at in range(0, encoded.shape[0], CHUNK):
        shares = model.probabilities(encoded[at : at + CHUNK])
        each = np.arange(len(shares))
        best = shares.argmax(axis=1)
        of_truth = shares[each, truths[at : at + CHUNK]] if truths is not None else np.zeros(len(shares))
        yield Guesses(best.astype(np.int64), shares[each, best], of_truth)


def loss(guesses: Guesses) -> float:
    """The mean of -ln of the probability given to the true class, in nats."""
    return float(-np.log(np.maximum(guesses.of_truth, 1e-12)).mean())


def accuracy(guesses: Guesses, truths: Numbers) -> float:
    """The share of texts whose likeliest class is the true one, 0..1."""
    return float((guesses.label == truths).mean())


def confusion(guesses: Guesses, truths: Numbers, classes: int) -> NDArray[np.int64]:
    """How often class i (row) was taken for class j (column): [classes, classes]."""
    flat = np.bincount(truths * classes + guesses.label, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def macro_f1(matrix: NDArray[np.int64]) -> float:
    """The mean F1 of the classes that occur among the truths or the guesses, 0..1."""
    hits = np.diag(matrix).astype(np.float64)
    size = matrix.sum(axis=0) + matrix.sum(axis=1)
    return float((2 * hits[size > 0] / size[size > 0]).mean())
