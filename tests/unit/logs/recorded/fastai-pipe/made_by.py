"""fastai 2: the table under its bar.

python made_by.py > log.txt 2>&1
"""

import numpy as np
import pandas as pd
from fastai.tabular.all import (
    CategoryBlock,
    Normalize,
    RocAucBinary,
    TabularDataLoaders,
    accuracy,
    set_seed,
    tabular_learner,
)

set_seed(0)
frame = pd.DataFrame(np.random.randn(320, 3), columns=list("abc"))
frame["y"] = (frame.a + frame.b > 0).astype(int)
loaders = TabularDataLoaders.from_df(
    frame,
    ".",
    procs=[Normalize],
    cont_names=list("abc"),
    y_names="y",
    y_block=CategoryBlock(),
    valid_idx=list(range(80)),
    bs=32,
)
learner = tabular_learner(loaders, layers=[16], metrics=[accuracy, RocAucBinary()])
learner.fit_one_cycle(3, 1e-2)
print(learner.validate())
