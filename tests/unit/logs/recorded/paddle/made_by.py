"""PaddlePaddle's high-level API: `python made_by.py > log.txt` writes expected.json from what its callbacks get."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn

expected: list[dict[str, float]] = []
rng = np.random.default_rng(0)
x = rng.normal(size=(64, 4)).astype("float32")
y = (x[:, :1] > 0).astype("int64")
verbose = int(sys.argv[1]) if len(sys.argv) > 1 else 2


class Recorder(paddle.callbacks.Callback):
    epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch + 1

    def on_train_batch_end(self, step: int, logs: Any = None) -> None:
        if (step + 1) % 2 == 0:
            shown = {"loss": float(f"{logs['loss'][0]:.4f}"), "acc": float(f"{logs['acc']:.4f}")}
            expected.append({"epoch": self.epoch, "step": step + 1, **shown})


data = [(x[i], y[i]) for i in range(64)]
model = paddle.Model(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
model.prepare(paddle.optimizer.Adam(parameters=model.parameters()), nn.CrossEntropyLoss(), paddle.metric.Accuracy())
model.fit(data, epochs=2, batch_size=8, verbose=verbose, log_freq=2, callbacks=[Recorder()])
Path(__file__).with_name("expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
