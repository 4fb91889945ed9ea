"""CatBoost: `python made_by.py > log.txt` writes expected.json from `evals_result_`."""

import json
from pathlib import Path

import numpy as np
from catboost import CatBoostRegressor

rng = np.random.default_rng(0)
x = rng.normal(size=(300, 6))
y = 2 * x[:, 0] + 0.1 * rng.normal(size=300)
model = CatBoostRegressor(iterations=12, metric_period=3, allow_writing_files=False)
model.fit(x[:200], y[:200], eval_set=[(x[200:], y[200:]), (x[:50], y[:50])])
history = model.evals_result_
names = {"learn": "learn", "validation_0": "test", "validation_1": "test1"}
expected = []
for index, step in enumerate((0, 3, 6, 9, 11)):
    row = {shown: round(history[of]["RMSE"][index], 7) for of, shown in names.items()}
    best = round(min(history["validation_1"]["RMSE"][: index + 1]), 7)  # by the last set
    expected.append({"step": step, **row, "best": best})
Path(__file__).with_name("expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
