"""Multinomial logistic regression on hashed n-grams, by plain mini-batch gradient descent."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from . import features
from .classifier import Arrays, Classifier, Numbers

DECAY = 1e-4
"""The L2 penalty: half of this times the squared weights is added to the loss."""
BIAS_RATE = 0.1
"""Texts have length 1 spread over many n-grams, the bias's input is 1 every time: it would run ahead."""


class Linear(Classifier):
    """One weight per n-gram bucket and class: [BUCKETS, classes], and a bias per class."""

    learning_rate: ClassVar[float] = 5.0

    def __init__(self, idf: NDArray[np.float32], weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        self._idf, self._weight, self._bias = idf, weight, bias

    @classmethod
    def create(cls, texts: Sequence[str], classes: int, seed: int) -> Self:
        """All weights zero: the loss has one minimum, so where it starts does not matter, nor does the seed."""
        zeros = np.zeros((features.BUCKETS, classes), np.float32)
        return cls(features.rarity(features.count(texts)), zeros, np.zeros(classes, np.float32))

    @classmethod
    def restore(cls, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], classes: int) -> Self:
        """See Classifier."""
        if settings.get("buckets") != features.BUCKETS:
            raise ValueError(
                f"it hashes into {settings.get('buckets')!r} buckets, this program into {features.BUCKETS}"
            )
        shapes = {"idf": (features.BUCKETS,), "weight": (features.BUCKETS, classes), "bias": (classes,)}
        for name, shape in shapes.items():
            found = arrays[name]
            if found.shape != shape or found.dtype != np.float32 or not np.isfinite(found).all():
                raise ValueError(f"its {name} is not {shape} finite numbers")
        return cls(arrays["idf"], arrays["weight"], arrays["bias"])

    def settings(self) -> dict[str, Any]:
        """See Classifier."""
        return {"buckets": features.BUCKETS}

    def arrays(self) -> Arrays:
        """See Classifier."""
        return {"idf": self._idf, "weight": self._weight, "bias": self._bias}

    def encode(self, texts: Sequence[str]) -> Any:
        """A sparse matrix [texts, BUCKETS], rows of length 1 (or 0 for a text without any n-gram)."""
        return features.weigh(features.count(texts), self._idf)

    def begin(self, seed: int) -> None:
        """See Classifier. Nothing here is random but the order, so `seed` is not needed."""

    def learn(self, encoded: Any, labels: Numbers, rate: float) -> tuple[float, int]:
        """See Classifier."""
        shares = _softmax(encoded @ self._weight + self._bias)
        each = np.arange(len(labels))
        loss = -float(np.log(np.maximum(shares[each, labels], 1e-12)).sum())
        right = int((shares.argmax(axis=1) == labels).sum())
        shares[each, labels] -= 1
        shares *= np.float32(rate / len(labels))
        self._weight *= np.float32(max(0.0, 1 - rate * DECAY))
        self._weight -= encoded.T @ shares
        self._bias -= np.float32(BIAS_RATE) * shares.sum(axis=0)
        return loss, right

    def probabilities(self, encoded: Any) -> NDArray[np.float64]:
        """See Classifier."""
        return _softmax(encoded @ self._weight + self._bias).astype(np.float64)


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    total: NDArray[np.float32] = shares.sum(axis=1, keepdims=True)
    out: NDArray[np.float32] = shares / total
    return out
