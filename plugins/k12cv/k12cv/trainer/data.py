"""Datasets as arrays: the bundled digits, or the images of a folder or archive, with a fixed split.

Images are float32 in 0..1 of shape [n, h, w, c], c being 1 (gray) or 3 (rgb).
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .images import Look, decode, from_array
from .report import Bar, Warnings
from .sources import Source, locate, open_dataset, read_file

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

BUNDLED = "digits"
SPLITS = ("train", "val", "test")
MAX_CLASSES = 1000
MAX_ARRAY_BYTES = 8 << 30
"""Decoded images are held in memory; beyond this, a smaller `image_size` is the answer."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageSet:
    """Images with their names, class names (None where unknown) and splits (None where they belong to every one)."""

    name: str
    keys: tuple[str, ...]
    names: tuple[str | None, ...]
    splits: tuple[str | None, ...]
    images: Images

    def __len__(self) -> int:
        return len(self.keys)

    def part(self, split: str) -> "ImageSet":
        """Only the images of `split`."""
        at = [i for i, own in enumerate(self.splits) if own == split]
        return ImageSet(
            self.name,
            tuple(self.keys[i] for i in at),
            tuple(self.names[i] for i in at),
            tuple(self.splits[i] for i in at),
            self.images[at],
        )

    def classes(self) -> tuple[str, ...]:
        """The class names, sorted. Raises ValueError where there are fewer than two, or too many."""
        found = sorted({name for name in self.names if name is not None})
        if not 2 <= len(found) <= MAX_CLASSES:
            raise ValueError(
                f"dataset {self.name!r} has {len(found)} classes; a classifier needs 2 to {MAX_CLASSES}, each a "
                "sub-folder of images"
            )
        return tuple(found)

    def labels(self, classes: Sequence[str]) -> Labels:
        """Each image's class number in `classes`. Raises ValueError for a class that is not among them."""
        number = {name: i for i, name in enumerate(classes)}
        unseen = sorted({str(name) for name in self.names if name not in number})
        if unseen:
            raise ValueError(
                f"y contains previously unseen labels: {unseen[:10]}; the model knows {list(classes)[:10]}"
            )
        return np.array([number[str(name)] for name in self.names], dtype=np.int64)


def load(
    name: str,
    root: Path | None,
    look: Look,
    splits: Collection[str] = SPLITS,
    *,
    known: Collection[str] | None = None,
) -> ImageSet:
    """The images of dataset `name` that belong to `splits`, as `look` wants them.

    Images that lie in no class folder are left out. Where the `known` classes are given, those images, and those in
    folders of other names, count as unlabelled instead, and belong to every split. Raises FileNotFoundError where the
    dataset is not there, ValueError where it cannot be used.
    """
    if name == BUNDLED:
        return _digits(look, splits)
    warnings = Warnings()
    try:
        with open_dataset(root, name, warnings) as sources:
            if known is None and any(source.label is None for source in sources):
                warnings.say("images that lie in no class folder are left out")
            names = [s.label if known is None or s.label in known else None for s in sources]
            own = [None if label is None else split_of(s.key) for s, label in zip(sources, names, strict=True)]
            chosen = [
                (s, label, split)
                for s, label, split in zip(sources, names, own, strict=True)
                if split in splits or (split is None and known is not None)
            ]
            return _decoded(name, chosen, look, warnings)
    finally:
        warnings.close()


def load_files(names: Sequence[str], root: Path | None, look: Look) -> ImageSet:
    """The image files `names`, without labels. Raises FileNotFoundError, or ValueError where one does not read."""
    images = []
    for name in names:
        path = locate(root, name)
        try:
            images.append(decode(read_file(path), look))
        except Exception as error:  # Pillow's decoders raise nearly anything on a damaged file
            raise ValueError(f"{name!r} is not a readable image: {error}") from error
    none = (None,) * len(images)
    return ImageSet("files", tuple(names), none, none, np.stack(images))


def split_of(key: str) -> str:
    """The split of an image, by its name alone, so that new images never move old ones: 20 % test, 10 % val."""
    place = int.from_bytes(_hash(key)[:8], "big") % 100
    return "test" if place < 20 else "val" if place < 30 else "train"


def _digits(look: Look, splits: Collection[str]) -> ImageSet:
    """The bundled digits, split by class: of each digit, in the order of the names' hashes, 20 % test, 10 % val."""
    from sklearn.datasets import load_digits  # slow to import, and other datasets do without

    pixels, targets = load_digits(return_X_y=True)
    keys = [f"digits-{i:04d}" for i in range(len(targets))]
    split: dict[str, str] = {}
    for digit in range(10):
        own = sorted((keys[i] for i in np.flatnonzero(targets == digit)), key=_hash)
        for rank, key in enumerate(own):
            split[key] = "test" if rank < 0.2 * len(own) else "val" if rank < 0.3 * len(own) else "train"
    at = [i for i, key in enumerate(keys) if split[key] in splits]
    return ImageSet(
        BUNDLED,
        tuple(keys[i] for i in at),
        tuple(str(targets[i]) for i in at),
        tuple(split[keys[i]] for i in at),
        from_array((pixels.reshape(-1, 8, 8) / 16).astype(np.float32)[at], look),
    )


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _decoded(
    name: str, chosen: Sequence[tuple[Source, str | None, str | None]], look: Look, warnings: Warnings
) -> ImageSet:
    """Reads and decodes the chosen images, each with its class and split; leaves out what does not decode."""
    size = len(chosen) * look.size * look.size * look.channels * 4
    if size > MAX_ARRAY_BYTES:
        raise ValueError(
            f"dataset {name!r}: {len(chosen)} images of {look.size}x{look.size} need {size >> 20} MiB of memory, "
            f"more than {MAX_ARRAY_BYTES >> 20}; choose a smaller image_size"
        )
    images = np.empty((len(chosen), look.size, look.size, look.channels), dtype=np.float32)
    good: list[tuple[Source, str | None, str | None]] = []
    bar = Bar()
    bar.start(f"Loading {name}", len(chosen))
    for source, label, split in chosen:
        try:
            images[len(good)] = decode(source.read(), look)
        except Exception as error:  # noqa: BLE001 - Pillow's decoders raise nearly anything on a damaged file
            warnings.say(f"skipped broken image {source.key!r}: {str(error)[:200]}")
        else:
            good.append((source, label, split))
        bar.step()
    bar.end()
    if not good:
        raise ValueError(
            f"dataset {name!r} has no readable image to use (one sub-folder of images per class is expected)"
        )
    return ImageSet(
        name,
        tuple(source.key for source, _, _ in good),
        tuple(label for _, label, _ in good),
        tuple(split for _, _, split in good),
        images[: len(good)],
    )
