"""What a model is to the tasks, and the making of one from its card."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .card import Card
from .data import Images, Labels

Arrays = Mapping[str, npt.NDArray[Any]]
Probabilities = npt.NDArray[np.float64]
"""[n, classes], each row adding up to 1."""


@dataclass(frozen=True, slots=True)
class Training:
    """How to train: the optimiser's settings, the seed, the device and CPU threads for models that can use them."""

    learning_rate: float = 0.005
    weight_decay: float = 0.01
    batch_size: int = 32
    seed: int = 0
    device: str = "cpu"
    threads: int = 1


class Classifier(Protocol):
    """A model that learns by passes over images [n, h, w, c] in 0..1."""

    def fit_scale(self, images: Images) -> None:
        """Takes from the training images what inputs are normalised by; once, before the first pass."""

    def train_epoch(
        self, images: Images, labels: Labels, epoch: int, rate: float, on_step: Callable[[], None]
    ) -> tuple[float, float]:
        """One pass at learning rate `rate`, in an order that seed and `epoch` fix; calls `on_step` after each batch.

        Returns the loss and the accuracy on the batches as they came.
        """

    def predict(self, images: Images, batch_size: int) -> Probabilities:
        """The probability of each class for each image."""

    def arrays(self) -> Arrays:
        """All that the model has learnt, and its optimiser's state, to go on from exactly here."""

    def restore(self, arrays: Arrays) -> None:
        """Takes back what `arrays` gave. Raises KeyError or ValueError where they are not of this architecture."""


def create(card: Card, training: Training) -> Classifier:
    """A fresh model of the card's architecture. Raises ValueError for an unknown one."""
    if card.model == "cnn":
        from .cnn import Cnn  # only this model needs PyTorch

        return Cnn(card, training)
    if card.model in {"softmax", "mlp"}:
        from .dense import Dense

        return Dense(card, training)
    raise ValueError(f"unknown model {card.model!r}: choose softmax, mlp or cnn")


def score(probabilities: Probabilities, labels: Labels) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy (0..1)."""
    likely = probabilities[np.arange(len(labels)), labels]
    loss = -np.log(np.maximum(likely, 1e-12)).mean()
    return float(loss), float((probabilities.argmax(axis=1) == labels).mean())
