"""Ultralytics: `python made_by.py > log.txt 2>&1` writes expected.json from the trainer's own losses and metrics."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ["YOLO_OFFLINE"] = "1"

import numpy as np
from PIL import Image
from ultralytics import YOLO

expected: list[dict[str, float]] = []
root = Path(tempfile.mkdtemp())
rng = np.random.default_rng(0)
for part in ("train", "val"):
    (root / "images" / part).mkdir(parents=True)
    (root / "labels" / part).mkdir(parents=True)
    for i in range(6):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(root / "images" / part / f"{i}.jpg")
        (root / "labels" / part / f"{i}.txt").write_text("0 0.5 0.5 0.4 0.4\n", encoding="utf-8")
config = root / "data.yaml"
config.write_text(f"path: {root}\ntrain: images/train\nval: images/val\nnames:\n  0: a\n  1: b\n", encoding="utf-8")


def on_fit_epoch_end(trainer: Any) -> None:
    if trainer.epoch < trainer.epochs and trainer.epoch + 1 > len(expected) // 2:
        losses = {name: float(f"{float(loss):.4g}") for name, loss in trainer.tloss.items()}
        expected.append({"epoch": trainer.epoch + 1, **losses})
        scores = trainer.validator.metrics.mean_results()
        shown = {n: float(f"{v:.3g}") for n, v in zip(("P", "R", "mAP50", "mAP50-95"), scores, strict=True)}
        expected.append({"epoch": trainer.epoch + 1, **shown})


model = YOLO("yolov8n.yaml")
model.add_callback("on_fit_epoch_end", on_fit_epoch_end)
model.train(
    data=str(config), epochs=2, imgsz=64, batch=2, workers=0, device="cpu", plots=False, project=str(root), amp=False
)
last = {name: value for name, value in expected[-1].items() if name != "epoch"}
expected.append(last)  # the best weights, validated once more
Path(__file__).with_name("expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
