"""XGBoost: `python made_by.py > log.txt` writes expected.json from the boosters' own `evals_result`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xgboost as xgb

rng = np.random.default_rng(0)
x = rng.normal(size=(300, 6))
y = (x[:, 0] + 0.3 * rng.normal(size=300) > 0).astype(int)
train, valid = xgb.DMatrix(x[:200], y[:200]), xgb.DMatrix(x[200:], y[200:])
expected: list[dict[str, float]] = []


def run(params: dict[str, Any], rounds: int, **more: Any) -> None:
    history: dict[str, dict[str, list[float]]] = {}
    xgb.train(params, train, rounds, evals=[(train, "train"), (valid, "eval")], evals_result=history, **more)
    for step in range(len(history["train"][next(iter(history["train"]))])):
        row = {
            f"{split}-{name}": round(values[step], 5) for split, of in history.items() for name, values in of.items()
        }
        expected.append({"step": step, **row})


run({"objective": "binary:logistic", "eval_metric": ["logloss", "auc", "error"]}, 5)
run({"objective": "reg:squarederror", "eval_metric": ["rmse", "mae"], "eta": 1.0}, 12, early_stopping_rounds=2)
cv = xgb.cv({"objective": "binary:logistic"}, train, 3, nfold=3, verbose_eval=1, show_stdv=True)
expected += [
    {"step": step, **{f"{split}-logloss": round(row[f"{split}-logloss-mean"], 5) for split in ("train", "test")}}
    for step, row in enumerate(cv.to_dict("records"))
]
Path(__file__).with_name("expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
