"""Frameworks that run the loop themselves: Hugging Face, Keras, Lightning and the like.

Sources: transformers' `trainer_callback`/`trainer_pt_utils`, Keras' `Progbar`, Lightning's `TQDMProgressBar`,
`RichProgressBar` and `ModelCheckpoint`, ignite's, skorch's and Flair's loggers, Optuna's study,
AutoGluon's trainer.
"""

import re

from k12ai_ws.logs.presets.preset import ALL, TEXT, Preset, Shape

from .loops import COMMON

REACHED = Shape(
    "' reached ",
    re.compile(
        r"^Epoch (?P<epoch>\d+), global step (?P<step>\d+): "
        r"'(?P<name>[^'\n]{1,80})' reached (?P<value>[-+.\deE]{1,24}) "
    ),
    any_name=True,
    whole=True,
)
"""Lightning's `ModelCheckpoint(verbose=True)`: `Epoch 0, global step 10: 'val_loss' reached 0.63596 (best ...)`."""
TRIAL = Shape(
    " finished with value",
    re.compile(
        r"(?:^|\] )Trial (?P<step>\d+) finished with (?P<name>value): "
        r"(?P<value>[-+]?\d{1,20}(?:\.\d{1,20})?(?:e[-+]?\d+)?)"
    ),
    any_name=True,
    whole=True,
)
"""Optuna: `Trial 0 finished with value: 0.0235 and parameters: {'lr': 0.01}. Best is ...`."""
OBTAINED = Shape(
    "value obtained",
    re.compile(r"^(?P<name>Function value obtained): (?P<value>[-+]?\d{1,20}\.\d{1,20}(?:e[-+]?\d+)?)$"),
    any_name=True,
    whole=True,
)
"""scikit-optimize: `Function value obtained: 0.0051`."""
VALIDATED = Shape(
    "= Validation score",
    re.compile(r"^\s*(?P<value>-?\d{1,20}(?:\.\d{1,20})?)\s+= (?P<name>Validation score)\s{1,8}\("),
    any_name=True,
    whole=True,
)
"""AutoGluon, the number first: `0.8231	 = Validation score   (accuracy)`."""
F_SCORE = Shape(
    "score (m",
    re.compile(r"(?P<name>\b[fF]1?-[sS]core \(m[ai]cro(?: avg)?\)) {1,4}(?P<value>\d\.\d{1,10})"),
    any_name=True,
)
"""Flair: `DEV : loss 0.11 - f1-score (micro avg)  0.71`, `- F-score (micro) 0.81`."""

PRESETS = (
    Preset(
        "huggingface",
        "Hugging Face Trainer, TRL, sentence-transformers",
        frozenset(("dicts", "pairs")),
        (r"'train_runtime':", r"'eval_runtime':", r"'loss': .{1,120}'epoch': ", r"TrainOutput\(global_step="),
    ),
    Preset(
        "lightning",
        "PyTorch Lightning",
        ALL,
        (
            r"\bv_num=",
            r"`Trainer\.fit` stopped",
            r"Metric \S{1,80} improved",
            r"global step \d+: '",
            r"Validat\w+ DataLoader \d",
        ),
        (REACHED,),
    ),
    Preset(
        "keras",
        "Keras and TensorFlow",
        frozenset(("pairs",)),
        (r"\d+/\d+ .{0,80}\d+(?:s|ms|us)/(?:step|epoch)\b", r"^\s*\d+/\d+ \[=+>?\.*\] - "),
    ),
    Preset(
        "ignite",
        "PyTorch Ignite",
        frozenset(("dicts", "pairs")),
        (r"\bengine\.engine\b", r"Epoch \[\d+/\d+\]: \["),
        COMMON,
    ),
    Preset("optuna", "Optuna", frozenset(("dicts", "pairs")), (r"\] Trial \d+ (?:finished|failed|pruned)",), (TRIAL,)),
    Preset("skopt", "scikit-optimize", TEXT, (r"^Function value obtained: ",), (OBTAINED,), only=True),
    Preset("skorch", "skorch", frozenset(("tables",)), (r"^ *epoch +train_loss +valid_acc",)),
    Preset("fastai", "fastai", frozenset(("tables",)), (r"^epoch +train_loss +valid_loss ",)),
    Preset(
        "flair",
        "Flair",
        TEXT,
        (r"^epoch \d+ - iter \d+/\d+ - loss [\d.]+ - time \(sec\): ", r"^DEV : loss "),
        (*COMMON, F_SCORE),
    ),
    Preset("autogluon", "AutoGluon", TEXT, (r"\t = Validation score +\(",), (VALIDATED,)),
    Preset("tabnet", "PyTorch TabNet", TEXT, (r"^epoch \d+ +\| loss: [\d.]+ +\|.*\| +\d+:\d\d:\d\ds",)),
)
