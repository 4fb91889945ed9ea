"""pytorch-tabnet 4: one line an epoch, early stopping, and its history's print, which is a list and no metric.

python made_by.py > log.txt 2>&1
"""

import numpy as np
from pytorch_tabnet.tab_model import TabNetClassifier

rng = np.random.RandomState(0)
x = rng.randn(320, 8)
y = (x[:, 0] + x[:, 1] > 0).astype(int)
model = TabNetClassifier(seed=0)
model.fit(
    x,
    y,
    eval_set=[(x, y), (x[:99], y[:99])],
    eval_name=["train", "valid"],
    eval_metric=["auc", "accuracy"],
    max_epochs=5,
    batch_size=64,
    virtual_batch_size=32,
)
print(dict(model.history.history))
