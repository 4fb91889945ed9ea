"""skorch 1: its table of losses and scores.

python made_by.py > log.txt 2>&1
"""

import numpy as np
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Checkpoint, EpochScoring

torch.manual_seed(0)
x = np.random.RandomState(0).randn(320, 8).astype("f")
y = (x[:, 0] + x[:, 1] > 0).astype("int64")
net = NeuralNetClassifier(
    torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2)),
    criterion=torch.nn.CrossEntropyLoss,
    max_epochs=4,
    lr=0.1,
    callbacks=[EpochScoring("roc_auc", lower_is_better=False, name="valid_auc"), Checkpoint(dirname="checkpoints")],
)
net.fit(x, y)
