"""The user's own augmentation code: a file below the datasets root, run inside the job and with its rights.

What it raises is left alone, so that the log shows the user's file and line.
"""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .data import Images, Labels
from .sources import locate

Augment = Callable[[Images, Labels], tuple[Images, Labels]]


def load_augment(root: Path | None, name: str, classes: int) -> Augment:
    """The file's `augment`, with its result checked on each call.

    Raises FileNotFoundError or ValueError where there is no such file, whatever the file itself raises, and
    AttributeError where it defines no `augment`.
    """
    path = locate(root, name)
    spec = importlib.util.spec_from_file_location(f"augment_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{name!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True  # the datasets root is not ours to write to
    spec.loader.exec_module(module)
    function = module.augment

    def augment(images: Images, labels: Labels) -> tuple[Images, Labels]:
        gray = images.shape[-1] == 1
        # Copies, so that an augmentation in place does not pile up from epoch to epoch.
        result = function(images[..., 0].copy() if gray else images.copy(), labels.copy())
        return _checked(result, images.shape[1:], classes, name)

    return augment


def _checked(result: Any, shape: tuple[int, ...], classes: int, name: str) -> tuple[Images, Labels]:
    """`result` as arrays to train on. Raises TypeError or ValueError that say what `augment` should have returned."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(f"augment() of {name} must return (images, labels), not {type(result).__name__}")
    images, labels = np.asarray(result[0], dtype=np.float32), np.asarray(result[1])
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[1:] != shape or not len(images):
        raise ValueError(f"augment() of {name} returned images of shape {images.shape}; each must stay {shape}")
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"augment() of {name} returned labels {labels.dtype}{list(labels.shape)} for {len(images)} images"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"augment() of {name} returned labels outside 0..{classes - 1}")
    if not np.isfinite(images).all():
        raise ValueError(f"augment() of {name} returned images with NaN or infinity in them")
    return images, labels.astype(np.int64)
