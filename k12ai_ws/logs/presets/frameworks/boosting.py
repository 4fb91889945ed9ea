"""Gradient boosting and scikit-learn: one line a round.

Sources: XGBoost's `EvaluationMonitor`, LightGBM's `log_evaluation`, CatBoost's console logger, scikit-learn's
`verbose`.
"""

import re

from k12ai_ws.logs.presets.preset import TEXT, Preset, Shape

ROUND = Shape("]", re.compile(r"^\[(?P<step>\d+)\][\t:]"), rounds=True)
"""`[3]	train-logloss:0.48	eval-auc:0.98`."""
LEARN = Shape("learn:", re.compile(r"^(?P<step>\d+):\s{1,4}learn:"), rounds=True)
"""`4:	learn: 1.1	test: 1.2	best: 1.2 (4)	total: 47ms`."""

PRESETS = (
    Preset("xgboost", "XGBoost", TEXT, (r"^\[\d+\]\t[\w-]+-\w+:",), (ROUND,), only=True),
    Preset(
        "lightgbm",
        "LightGBM",
        TEXT,
        (r"^\[LightGBM\]", r"^\[\d+\]\t[\w ]+'s \w+: ", r"cv_agg's"),
        (ROUND,),
        only=True,
    ),
    Preset("catboost", "CatBoost", TEXT, (r"^\d+:\s+learn: ", r"^bestTest = "), (LEARN,), only=True),
    Preset(
        "sklearn",
        "scikit-learn's `verbose`",
        frozenset(("tables", "pairs")),
        (r"^Iteration \d+, loss = ", r"^ +Iter +Train Loss", r"^\[CV"),
    ),
)
