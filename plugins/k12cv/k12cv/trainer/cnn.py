"""`cnn`: a small convolutional network in PyTorch, the one module that needs it."""

import os
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from .card import Card
from .data import Images, Labels
from .models import Arrays, Probabilities, Training

SMALLEST = 4
"""The image is halved while its side is at least twice this many pixels."""


def network(card: Card) -> nn.Sequential:
    """Pairs of 3x3 convolutions, each pair followed by a halving; then one hidden layer with dropout."""
    layers: list[nn.Module] = []
    channels, width, side = (3 if card.color == "rgb" else 1), 32, card.image_size
    while side >= 2 * SMALLEST:
        for _ in range(2):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
        side //= 2
        width = min(2 * width, 128)
    layers += [nn.Flatten(), nn.Linear(channels * side * side, card.hidden), nn.ReLU(), nn.Dropout(0.3)]
    layers.append(nn.Linear(card.hidden, len(card.classes)))
    return nn.Sequential(*layers)


class Cnn:
    """The network with its optimiser (AdamW), as a `Classifier`."""

    def __init__(self, card: Card, training: Training) -> None:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or CUDA's products differ from run to run
        torch.set_num_threads(training.threads)
        torch.manual_seed(training.seed)
        torch.use_deterministic_algorithms(True)
        self._training = training
        self._device = torch.device(training.device)
        self._network = network(card).to(self._device)
        self._mean, self._scale = np.zeros(1), np.ones(1)
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
        )

    def fit_scale(self, images: Images) -> None:
        """One mean and one deviation for all pixels."""
        self._mean = np.array([images.mean(dtype=np.float64)])
        self._scale = np.array([max(float(images.std(dtype=np.float64)), 1e-6)])

    def train_epoch(
        self, images: Images, labels: Labels, epoch: int, rate: float, on_step: Callable[[], None]
    ) -> tuple[float, float]:
        """See `Classifier.train_epoch`."""
        rng = np.random.default_rng([self._training.seed, epoch])
        torch.manual_seed(int(rng.integers(2**63)))  # for dropout
        order = rng.permutation(len(images))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._network.train()
        loss, hits = 0.0, 0
        for start in range(0, len(order), self._training.batch_size):
            batch = order[start : start + self._training.batch_size]
            truth = torch.from_numpy(labels[batch]).to(self._device)
            scores = self._network(self._inputs(images[batch]))
            cost = nn.functional.cross_entropy(scores, truth)
            self._optimizer.zero_grad()
            torch.autograd.backward(cost)
            self._optimizer.step()
            loss += cost.item() * len(batch)
            hits += int((scores.argmax(1) == truth).sum())
            on_step()
        return loss / len(order), hits / len(order)

    def predict(self, images: Images, batch_size: int) -> Probabilities:
        """See `Classifier.predict`."""
        self._network.eval()
        with torch.no_grad():
            parts = [
                torch.softmax(self._network(self._inputs(images[i : i + batch_size])).double(), 1).cpu().numpy()
                for i in range(0, len(images), batch_size)
            ]
        return np.concatenate(parts)

    def arrays(self) -> Arrays:
        """See `Classifier.arrays`."""
        named = {"mean": self._mean, "scale": self._scale}
        named |= {f"net.{name}": value.cpu().numpy() for name, value in self._network.state_dict().items()}
        for number, state in self._optimizer.state_dict()["state"].items():
            named |= {f"adam.{number}.{name}": value.cpu().numpy() for name, value in state.items()}
        return named

    def restore(self, arrays: Arrays) -> None:
        """See `Classifier.restore`."""
        self._mean, self._scale = arrays["mean"], arrays["scale"]
        try:
            weights = {name: torch.from_numpy(arrays[f"net.{name}"].copy()) for name in self._network.state_dict()}
            self._network.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"the weights are not of this network: {error}") from error
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key in arrays:
            kind, _, rest = key.partition(".")
            if kind == "adam":
                number, _, name = rest.partition(".")
                state.setdefault(int(number), {})[name] = torch.from_numpy(arrays[key].copy())
        groups = self._optimizer.state_dict()["param_groups"]  # the settings asked for now, not those of then
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})

    def _inputs(self, images: Images) -> torch.Tensor:
        """[n, h, w, c] in 0..1 → normalised [n, c, h, w] on the device."""
        scaled = (images - self._mean) / self._scale
        return torch.from_numpy(scaled.astype(np.float32).transpose(0, 3, 1, 2).copy()).to(self._device)
