import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Trainer = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def trainer() -> Trainer:
    """Runs the trainer as a job does: a process of its own, away from the repository."""

    def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-m", "k12cv.trainer", *map(str, arguments)]
        ran = subprocess.run(command, cwd=cwd, capture_output=True, timeout=120, check=False)
        out, err = ran.stdout.decode(), ran.stderr.decode()  # not text=True, which would turn \r into \n
        return subprocess.CompletedProcess(command, ran.returncode, out, err)

    return run


@pytest.fixture
def datasets(tmp_path: Path) -> Path:
    root = tmp_path / "datasets"
    root.mkdir()
    return root


def stripes(folder: Path, count: int = 30) -> None:
    """A dataset that any model can learn: horizontal against vertical stripes, with noise."""
    rng = np.random.default_rng(7)
    for name in ("across", "down"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = rng.integers(0, 60, (20, 24))
            pixels[:: 2 if name == "across" else 1, :: 1 if name == "across" else 2] += 150
            Image.fromarray(pixels.astype(np.uint8)).resize((48, 40)).save(folder / name / f"{i:03d}.png")


@pytest.fixture
def stripes_folder(datasets: Path) -> Path:
    stripes(datasets / "school" / "stripes")
    return datasets / "school" / "stripes"
