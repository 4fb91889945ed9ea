"""A small character-level transformer in PyTorch, made for a CPU. Imported only when it is chosen."""

import re
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as nnf

from .classifier import Arrays, Classifier, Numbers

LENGTH = 128
"""Characters read of a text; the rest is left out."""
GRAMS = (1, 2, 3, 4)
BUCKETS = 4096
"""Per n-gram size. Bucket 0 is padding, bucket 1 a position that has been masked."""
SETTINGS = {"length": LENGTH, "grams": list(GRAMS), "buckets": BUCKETS, "width": 64, "heads": 4, "layers": 1}
DROPOUT = 0.3
MASKED = 0.1
"""The share of characters hidden from the model while it learns, so that it cannot learn texts by heart."""
INIT = 0.02
"""Small: an n-gram that training never showed should say next to nothing."""
SMOOTHING = 0.1
"""Label smoothing: keeps a few hundred texts from making the model sure of everything."""
CLIP = 1.0
DECAY = 0.05


class _Net(nn.Module):  # type: ignore[misc, unused-ignore]
    """Each character's vector is the sum of those of the n-grams that end there; attention mixes them; their mean and
    maximum over the text are classified.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        width = int(str(SETTINGS["width"]))
        self.embed = nn.Embedding(BUCKETS * len(GRAMS), width)
        nn.init.normal_(self.embed.weight, std=INIT)
        self.place = nn.Parameter(torch.randn(LENGTH, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(DROPOUT)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, DROPOUT, batch_first=True, norm_first=True)
        self.layers = nn.ModuleList([layer])
        self.head = nn.Linear(2 * width, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """Scores [texts, classes] of ids [texts, length, grams]; 0 pads."""
        empty = ids[:, :, 0] == 0
        offsets = torch.arange(len(GRAMS)) * BUCKETS
        hidden = self.drop(self.norm(self.embed(ids + offsets).sum(dim=2) + self.place[: ids.shape[1]]))
        for layer in self.layers:
            hidden = layer(hidden, src_key_padding_mask=empty)
        blank = empty[..., None]
        mean = hidden.masked_fill(blank, 0).sum(dim=1) / (~blank).sum(dim=1)
        return self.head(self.drop(torch.cat([mean, hidden.masked_fill(blank, -1e4).amax(dim=1)], dim=1)))


class Transformer(Classifier):
    """The network and its optimiser (AdamW)."""

    learning_rate: ClassVar[float] = 0.001

    def __init__(self, classes: int) -> None:
        torch.use_deterministic_algorithms(True)
        # Layers this small gain nothing from a second thread, and on a busy machine threads that wait for each other
        # take ten times as long. It also makes the figures the same on any number of cores.
        torch.set_num_threads(1)
        # The averages of rarely seen n-grams decay into numbers so small that a CPU is ten times slower with them.
        torch.set_flush_denormal(True)
        self._net = _Net(classes)
        self._optimiser = torch.optim.AdamW(self._net.parameters(), weight_decay=DECAY)

    @classmethod
    def create(cls, texts: Sequence[str], classes: int, seed: int) -> Self:
        """Random weights, from `seed`; n-grams are hashed, so there is no vocabulary to learn."""
        torch.manual_seed(seed)
        return cls(classes)

    @classmethod
    def restore(cls, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], classes: int) -> Self:
        """See Classifier."""
        if dict(settings) != SETTINGS:
            raise ValueError(f"it is built as {dict(settings)}, this program builds {SETTINGS}")
        model = cls(classes)
        for name, weight in model._net.named_parameters():
            shape = tuple(weight.shape)
            with torch.no_grad():
                weight.copy_(_tensor(arrays, name, shape))
            model._optimiser.state[weight] = {
                "step": _tensor(arrays, f"{name}.step", ()),
                "exp_avg": _tensor(arrays, f"{name}.exp_avg", shape),
                "exp_avg_sq": _tensor(arrays, f"{name}.exp_avg_sq", shape),
            }
        return model

    def settings(self) -> dict[str, Any]:
        """See Classifier."""
        return dict(SETTINGS)

    def arrays(self) -> Arrays:
        """See Classifier. Only a model that has learned for at least one batch has an optimiser's state to give."""
        found: Arrays = {}
        for name, weight in self._net.named_parameters():
            found[name] = weight.detach().numpy()
            for key in ("step", "exp_avg", "exp_avg_sq"):
                found[f"{name}.{key}"] = self._optimiser.state[weight][key].numpy()
        return found

    def encode(self, texts: Sequence[str]) -> NDArray[np.int16]:
        """The hashed n-grams that end at each character: [texts, LENGTH, grams]."""
        ids = np.zeros((len(texts), LENGTH, len(GRAMS)), np.int16)
        for row, text in enumerate(texts):
            plain = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()[:LENGTH] or " "
            for at in range(len(plain)):
                for column, size in enumerate(GRAMS):
                    gram = plain[max(0, at + 1 - size) : at + 1].encode("utf-8", "surrogatepass")
                    ids[row, at, column] = 2 + zlib.crc32(gram) % (BUCKETS - 2)
        return ids

    def begin(self, seed: int) -> None:
        """See Classifier. `seed` decides what is dropped and masked."""
        torch.manual_seed(seed)
        self._net.train()

    def learn(self, encoded: Any, labels: Numbers, rate: float) -> tuple[float, int]:
        """See Classifier."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        ids, truth = _trim(encoded), torch.from_numpy(labels)
        hide = (torch.rand(ids.shape[:2]) < MASKED)[..., None] & (ids > 0)
        scores = self._net(ids.masked_fill(hide, 1))
        cost = nnf.cross_entropy(scores, truth, label_smoothing=SMOOTHING)
        self._optimiser.zero_grad()
        cost.backward()
        nn.utils.clip_grad_norm_(self._net.parameters(), CLIP)
        self._optimiser.step()
        return float(cost.detach()) * len(labels), int((scores.argmax(dim=1) == truth).sum())

    def probabilities(self, encoded: Any) -> NDArray[np.float64]:
        """See Classifier."""
        self._net.eval()
        with torch.inference_mode():
            scores: Tensor = self._net(_trim(encoded))
            shares: NDArray[np.float64] = scores.double().softmax(dim=1).numpy()
        return shares


def _trim(ids: NDArray[np.int16]) -> Tensor:
    """The batch without the padding that all its rows share."""
    longest = int((ids[:, :, 0] > 0).sum(axis=1).max())
    return torch.from_numpy(ids[:, :longest].astype(np.int64))


def _tensor(arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...]) -> Tensor:
    found = arrays[name]
    if found.shape != shape or found.dtype != np.float32 or not np.isfinite(found).all():
        raise ValueError(f"its {name} is not {shape} finite numbers")
    return torch.from_numpy(found.copy())
