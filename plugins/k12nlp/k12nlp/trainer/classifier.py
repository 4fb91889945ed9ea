"""What every kind of model can do, and the one place that knows the kinds."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Numbers = NDArray[np.int64]


class Pass(NamedTuple):
    """One epoch's mean loss (nats) and accuracy (0..1) over the training texts, measured as they were learned."""

    loss: float
    accuracy: float


class Classifier(ABC):
    """A model that learns epoch by epoch, and whose whole state is arrays and JSON values."""

    learning_rate: ClassVar[float]
    """The default step size of its kind."""

    @classmethod
    @abstractmethod
    def create(cls, texts: Sequence[str], classes: int, seed: int) -> Self:
        """A new model; what it has to know of the vocabulary comes from the training texts alone."""

    @classmethod
    @abstractmethod
    def restore(cls, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], classes: int) -> Self:
        """The model that `settings` and `arrays` describe. Raises KeyError, TypeError or ValueError for what is not."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What `restore` needs besides the arrays, as JSON values."""

    @abstractmethod
    def arrays(self) -> Arrays:
        """Weights, and the state of the optimiser: training goes on from them as if it had never stopped."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> Any:
        """The texts as this model takes them; a row of it is a text."""

    def fit(
        self,
        encoded: Any,
        labels: Numbers,
        *,
        order: Numbers,
        batch: int,
        rate: float,
        seed: int,
        step: Callable[[], None],
    ) -> Pass:
        """One pass over the rows in `order`, `batch` at a time; calls `step` after each batch."""
        self.begin(seed)
        loss = right = 0.0
        for at in range(0, len(order), batch):
            rows = order[at : at + batch]
            cost, hits = self.learn(encoded[rows], labels[rows], rate)
            loss += cost
            right += hits
            step()
        return Pass(loss / len(order), right / len(order))

    @abstractmethod
    def begin(self, seed: int) -> None:
        """A pass begins; `seed` decides whatever is random in it, but the order."""

    @abstractmethod
    def learn(self, encoded: Any, labels: Numbers, rate: float) -> tuple[float, int]:
        """One step of size `rate` on these rows; the sum of their losses and how many were right, before the step."""

    @abstractmethod
    def probabilities(self, encoded: Any) -> NDArray[np.float64]:
        """The probability of each class for each row: [rows, classes]."""


def kind(model: str) -> type[Classifier]:
    """The class of the model called `model`. PyTorch is imported only for the one that needs it.

    Raises ModuleNotFoundError where PyTorch is needed and not installed.
    """
    if model == "linear":
        from .linear import Linear

        return Linear
    if model != "transformer":
        raise ValueError(f"no model is called {model!r}; there are 'linear' and 'transformer'")
    try:
        from .transformer import Transformer
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        message = "the model 'transformer' needs PyTorch, which is not installed: pip install 'k12nlp[torch]'"
        raise ModuleNotFoundError(message, name="torch") from error
    return Transformer
