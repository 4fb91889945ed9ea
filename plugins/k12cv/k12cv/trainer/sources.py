"""Where image bytes come from: a folder or a .zip below the datasets root.

Every source is listed before anything is decoded, is read in memory, and is bounded: nothing is ever extracted, no
link leads out of the root, and no archive grows past what is said here.
"""

import errno
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from .report import Warnings

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"})
MAX_ENTRIES = 500_000
"""Files and folders of one dataset, images or not."""
MAX_FILE_BYTES = 64 << 20
"""One image file."""
MAX_ARCHIVE_BYTES = 16 << 30
"""What the images of one archive may unpack to, in all."""
MAX_RATIO = 200
"""Unpacked to packed size of an archive's image, beyond which the archive is taken for a bomb: image formats are
compressed already, and gain next to nothing. Images below `RATIO_FLOOR` bytes are harmless, and may be one colour."""
RATIO_FLOOR = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """One image file: its name in the dataset (forward slashes), and how to get its bytes."""

    key: str
    read: Callable[[], bytes]

    @property
    def label(self) -> str | None:
        """The class: the first folder of the name; None for an image that lies in none."""
        head, slash, _ = self.key.partition("/")
        return head if slash else None


def real_root(root: Path | None, name: str) -> Path:
    """The datasets root with its links resolved. Raises FileNotFoundError (for `name`) where none is given."""
    if root is None:
        raise FileNotFoundError(errno.ENOENT, "No datasets root is given (--datasets), so there is no", name)
    return root.resolve()


def locate(root: Path | None, name: str) -> Path:
    """The real path of `name` below the datasets root.

    Raises FileNotFoundError where it is not there, ValueError where it would leave the root.
    """
    base = real_root(root, name)
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\\" in name or "\0" in name:
        raise ValueError(f"{name!r} is no path below the datasets root: write it like 'school/flowers'")
    path = (base / name).resolve()
    if not path.is_relative_to(base):
        raise ValueError(f"{name!r} is a link that leaves the datasets root")
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(base / name))
    return path


@contextmanager
def open_dataset(root: Path | None, name: str, warnings: Warnings) -> Iterator[Sequence[Source]]:
    """The images of the folder or archive `name`, sorted by key; they are readable inside the `with` only.

    A single folder around all classes (as archives often have) is looked through. Raises what `locate` raises, and
    ValueError for a dataset that is neither folder nor archive, is too large or leaves the root.
    """
    path = locate(root, name)
    if path.is_dir():
        yield _tidy(_folder(path, real_root(root, name), warnings), warnings)
    elif path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield _tidy(_archive(archive, warnings), warnings)
    else:
        raise ValueError(f"dataset {name!r} is neither a folder nor a .zip archive")


def read_file(path: Path) -> bytes:
    """The bytes of an image file. Raises OSError, and ValueError where it is no plain file or too large."""
    if not path.is_file():  # a pipe or a device would block or never end
        raise ValueError("not a plain file")
    with path.open("rb") as file:
        return _bounded(file.read(MAX_FILE_BYTES + 1))


def _bounded(data: bytes) -> bytes:
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"larger than {MAX_FILE_BYTES >> 20} MiB")
    return data


def _is_image(key: str) -> bool:
    """Whether the name is an image's; hidden files and folders, and a Mac archive's shadows, are none."""
    parts = PurePosixPath(key).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and PurePosixPath(key).suffix.lower() in SUFFIXES


def _folder(base: Path, root: Path, warnings: Warnings) -> list[Source]:
    found: list[Source] = []
    entries = 0
    for place, folders, files in os.walk(base):
        folder = Path(place)
        entries += len(folders) + len(files)
        if entries > MAX_ENTRIES:
            raise ValueError(f"dataset {base.name!r} has more than {MAX_ENTRIES} files and folders")
        for name in [*folders, *files]:
            path = folder / name
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise ValueError(f"{path.relative_to(root).as_posix()!r} is a link that leaves the datasets root")
        for name in [name for name in folders if (folder / name).is_symlink()]:
            warnings.say(f"skipped {name!r}: links to folders are not followed")
        for name in files:
            key = (folder / name).relative_to(base).as_posix()
            if _is_image(key):
                found.append(Source(key, lambda path=folder / name: read_file(path)))  # type: ignore[misc]
    return found


def _archive(archive: zipfile.ZipFile, warnings: Warnings) -> list[Source]:
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        raise ValueError(f"the archive has more than {MAX_ENTRIES} entries")
    found: list[Source] = []
    total = 0
    for info in infos:
        key = info.filename
        if info.is_dir():
            continue
        if PurePosixPath(key).is_absolute() or ".." in PurePosixPath(key).parts or "\\" in key:
            warnings.say(f"skipped {key!r}: not a plain relative name")
            continue
        if not _is_image(key):
            continue
        total += info.file_size
        if info.file_size > RATIO_FLOOR and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise ValueError(f"the archive is refused: {key!r} unpacks to more than {MAX_RATIO} times its size")
        if total > MAX_ARCHIVE_BYTES:
            raise ValueError(f"the archive is refused: its images unpack to more than {MAX_ARCHIVE_BYTES >> 30} GiB")
        found.append(Source(key, lambda info=info: _read_member(archive, info)))  # type: ignore[misc]
    return found


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as member:  # reads no more than the size it declared, whatever it holds
        return _bounded(member.read(MAX_FILE_BYTES + 1))


def _tidy(sources: list[Source], warnings: Warnings) -> list[Source]:
    """Sorted, each key once, printable, and without a single folder around all classes."""
    kept: dict[str, Source] = {}
    for source in sources:
        if not source.key.isprintable():
            warnings.say(f"skipped {source.key!r}: its name does not print")
        elif source.key in kept:
            warnings.say(f"skipped {source.key!r}: the archive holds it twice")
        else:
            kept[source.key] = source
    split = [key.split("/") for key in kept]
    if split and all(len(parts) > 2 and parts[0] == split[0][0] for parts in split):
        prefix = len(split[0][0]) + 1
        return sorted((replace(source, key=key[prefix:]) for key, source in kept.items()), key=lambda s: s.key)
    return sorted(kept.values(), key=lambda source: source.key)
