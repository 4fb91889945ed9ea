"""LightGBM: `python made_by.py > log.txt` writes expected.json from `record_evaluation`."""

import json
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

rng = np.random.default_rng(0)
x = rng.normal(size=(300, 6))
y = (x[:, 0] + 0.3 * rng.normal(size=300) > 0).astype(int)
train = lgb.Dataset(x[:200], y[:200])
valid = lgb.Dataset(x[200:], y[200:], reference=train)
history: dict[str, Any] = {}
lgb.train(
    {"objective": "binary", "metric": ["binary_logloss", "auc"]},
    train,
    8,
    valid_sets=[train, valid],
    valid_names=["train", "valid"],
    callbacks=[lgb.log_evaluation(2), lgb.record_evaluation(history), lgb.early_stopping(20)],
)
expected = [
    {"step": step, **{f"{s}'s {n}": float(f"{v[step - 1]:g}") for s, of in history.items() for n, v in of.items()}}
    for step in (2, 4, 6, 8)
]
expected.append({name: value for name, value in expected[-1].items() if name != "step"} | {"step": 8})
Path(__file__).with_name("expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
