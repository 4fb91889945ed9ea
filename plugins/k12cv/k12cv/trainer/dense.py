"""`softmax` and `mlp` in NumPy: layers of weights, backpropagation, and the AdamW optimiser.

AdamW: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019. Weights start as He et al. 2015 propose.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .card import Card
from .data import Images, Labels
from .models import Arrays, Probabilities, Training

Floats = npt.NDArray[np.float64]
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Dense:
    """A stack of fully connected layers with ReLU between them: none hidden (softmax), or one (mlp)."""

    def __init__(self, card: Card, training: Training) -> None:
        self._training = training
        inputs = card.image_size**2 * (3 if card.color == "rgb" else 1)
        widths = [inputs, *([card.hidden] if card.model == "mlp" else []), len(card.classes)]
        rng = np.random.default_rng([training.seed, 0])
        self._weights: list[Floats] = []
        for fan_in, fan_out in pairwise(widths):
            self._weights.append(rng.normal(0, np.sqrt(2 / fan_in), (fan_in, fan_out)))
            self._weights.append(np.zeros(fan_out))
        self._mean = np.zeros(inputs)
        self._scale = np.ones(1)
        self._first = [np.zeros_like(w) for w in self._weights]
        self._second = [np.zeros_like(w) for w in self._weights]
        self._steps = 0

    def fit_scale(self, images: Images) -> None:
        """Mean of each pixel, and one deviation for all: pixels that never change stay quiet."""
        flat = images.reshape(len(images), -1)
        self._mean = flat.mean(axis=0, dtype=np.float64)
        self._scale = np.array([max(float((flat - self._mean).std()), 1e-6)])

    def train_epoch(
        self, images: Images, labels: Labels, epoch: int, rate: float, on_step: Callable[[], None]
    ) -> tuple[float, float]:
        """See `Classifier.train_epoch`."""
        order = np.random.default_rng([self._training.seed, epoch]).permutation(len(images))
        loss = hits = 0.0
        for start in range(0, len(order), self._training.batch_size):
            batch = order[start : start + self._training.batch_size]
            truth = labels[batch]
            layers = self._forward(self._inputs(images[batch]))
            likely = layers[-1][np.arange(len(batch)), truth]
            loss -= float(np.log(np.maximum(likely, 1e-12)).sum())
            hits += float((layers[-1].argmax(axis=1) == truth).sum())
            self._update(self._gradients(layers, truth), rate)
            on_step()
        return loss / len(order), hits / len(order)

    def predict(self, images: Images, batch_size: int) -> Probabilities:
        """See `Classifier.predict`."""
        starts = range(0, len(images), batch_size)
        return np.concatenate([self._forward(self._inputs(images[i : i + batch_size]))[-1] for i in starts])

    def arrays(self) -> Arrays:
        """See `Classifier.arrays`."""
        named = {"mean": self._mean, "scale": self._scale, "steps": np.array([self._steps])}
        for name, values in (("weight", self._weights), ("first", self._first), ("second", self._second)):
            named |= {f"{name}.{i}": value for i, value in enumerate(values)}
        return named

    def restore(self, arrays: Arrays) -> None:
        """See `Classifier.restore`."""
        self._mean, self._scale = _like(arrays["mean"], self._mean), _like(arrays["scale"], self._scale)
        self._steps = int(arrays["steps"][0])
        for name, values in (("weight", self._weights), ("first", self._first), ("second", self._second)):
            values[:] = [_like(arrays[f"{name}.{i}"], value) for i, value in enumerate(values)]

    def _inputs(self, images: Images) -> Floats:
        flat: Floats = (images.reshape(len(images), -1) - self._mean) / self._scale
        return flat

    def _forward(self, inputs: Floats) -> list[Floats]:
        """The input and what each layer made of it; the last are the probabilities."""
        layers = [inputs]
        for i in range(0, len(self._weights), 2):
            out = layers[-1] @ self._weights[i] + self._weights[i + 1]
            layers.append(np.maximum(out, 0))
        powers = np.exp(out - out.max(axis=1, keepdims=True))
        layers[-1] = powers / powers.sum(axis=1, keepdims=True)
        return layers

    def _gradients(self, layers: list[Floats], truth: Labels) -> list[Floats]:
        """Of the mean cross-entropy, for each of `_weights`."""
        slope = layers[-1].copy()
        slope[np.arange(len(truth)), truth] -= 1
        slope /= len(truth)
        gradients: list[Floats] = []
        for i in range(len(self._weights) - 2, -1, -2):
            below = layers[i // 2]
            gradients[:0] = [below.T @ slope, slope.sum(axis=0)]
            if i:
                slope = (slope @ self._weights[i].T) * (below > 0)
        return gradients

    def _update(self, gradients: list[Floats], rate: float) -> None:
        self._steps += 1
        shrink = 1 - rate * self._training.weight_decay
        unbias1, unbias2 = 1 - BETA1**self._steps, 1 - BETA2**self._steps
        for i, slope in enumerate(gradients):
            self._first[i] += (1 - BETA1) * (slope - self._first[i])
            self._second[i] += (1 - BETA2) * (slope * slope - self._second[i])
            if slope.ndim == 2:  # biases are not pulled back
                self._weights[i] *= shrink
            step = (self._first[i] / unbias1) / (np.sqrt(self._second[i] / unbias2) + EPSILON)
            self._weights[i] -= rate * step


def _like(value: npt.NDArray[np.float64], model: Floats) -> Floats:
    """`value`, if it has the shape of `model`."""
    if value.shape != model.shape:
        raise ValueError(f"an array of shape {value.shape} stands where {model.shape} belongs")
    return value.astype(np.float64)
