"""MMEngine's Runner: `python made_by.py > log.txt 2>&1` writes expected.json from its message hub's scalars."""

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

expected: list[dict[str, float]] = []
torch.manual_seed(0)


class Model(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor, y: torch.Tensor, mode: str) -> Any:
        out = self.linear(x)
        return {"loss": nn.functional.cross_entropy(out, y)} if mode == "loss" else (out, y)


class Accuracy(BaseMetric):
    def process(self, data_batch: Any, data_samples: Any) -> None:
        out, y = data_samples
        self.results.append((float((out.argmax(1) == y).sum()), len(y)))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        return {"accuracy": 100 * sum(right for right, _ in results) / sum(n for _, n in results)}


class Recorder(Hook):
    priority = "LOWEST"

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if (batch_idx + 1) % 5 == 0:
            losses = runner.message_hub.get_scalar("train/loss")
            loss = float(f"{losses.mean(10):.4f}")
            expected.append({"epoch": runner.epoch + 1, "step": batch_idx + 1, "loss": loss, "lr": 0.1})

    def after_val_epoch(self, runner: Runner, metrics: Any = None) -> None:
        accuracy = float(f"{metrics['accuracy']:.4f}")
        expected.append({"epoch": runner.epoch, "step": len(runner.val_dataloader), "accuracy": accuracy})


x = torch.randn(64, 4)
data = TensorDataset(x, (x[:, 0] > 0).long())
runner = Runner(
    Model(),
    tempfile.mkdtemp(),
    train_dataloader=DataLoader(data, 4),
    val_dataloader=DataLoader(data, 8),
    train_cfg={"by_epoch": True, "max_epochs": 2, "val_interval": 1},
    val_cfg={},
    val_evaluator={"type": Accuracy},
    optim_wrapper={"optimizer": {"type": torch.optim.SGD, "lr": 0.1}},
    default_hooks={"logger": {"type": "LoggerHook", "interval": 5}},
    custom_hooks=[Recorder()],
)
runner.train()
Path(__file__).with_name("expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
