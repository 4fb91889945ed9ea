"""Toolkits of one field: detection, speech, language, reinforcement learning.

Sources: Ultralytics' trainer, MMEngine's `LoggerHook`, Detectron2's `CommonMetricPrinter`, fairseq's `simple` and
`tqdm` loggers, Megatron-LM's `training_log`, DeepSpeed's engine, spaCy's console logger, AllenNLP's trainer,
stable-baselines3's `HumanOutputFormat`.
"""

import re

from k12ai_ws.logs.presets.preset import ALL, TEXT, Preset, Shape

from .loops import COMMON

BOTH = Shape(
    " |  ",
    re.compile(
        r"^(?P<name>\w{1,60}) {1,60}\| {2,10}(?P<training>[-\d.]{1,24}|N/A)  \| {2,10}(?P<validation>[-\d.]{1,24}|N/A)$"
    ),
    whole=True,
)
"""AllenNLP's console logger: `accuracy           |     0.512  |     0.533`, training and validation."""

LOSS_IS = Shape(
    " loss is ",
    re.compile(
        r"^(?:[\w/]{1,20} )?epoch:? {1,4}(?P<epoch>\d+),? {1,4}step:? {1,4}(?P<step>\d+),? {1,4}(?P<name>loss) is "
        r"(?P<value>[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|nan|inf)(?![\w.])",
        re.IGNORECASE,
    ),
    whole=True,
)
"""MindSpore's `LossMonitor`: `epoch: 1 step: 100, loss is 0.5123`."""
UPDATE = Shape(
    " : ",
    re.compile(
        r"Ep\. (?P<epoch>\d+) : Up\. (?P<step>\d+) : (?:Sen\. [\d,]{1,20} : )?(?P<name>[A-Za-z][\w-]{1,40}) :? ?"
        r"(?P<value>\d+\.\d+|nan)(?= )"
    ),
    whole=True,
)
"""Marian: `Ep. 1 : Up. 1000 : Sen. 64,000 : Cost 6.12 * 45,678 ...`, `[valid] Ep. 1 : Up. 1000 : perplexity : 45.6`."""

EPOCH_OF = Shape(
    "/",
    re.compile(r"^(?:(?P<epoch>\d+)/\d+ \* Epoch \(|(?:\* Epoch|train|valid) \((?P<epochs>\d+)/\d+\)(?:$| ))"),
)
"""Catalyst: `1/3 * Epoch (train):  50%|...`, `valid (1/3) accuracy01: 0.84 | loss: 0.46`."""

ITERATION = Shape(
    ", lr = ",
    re.compile(r"^Iteration (?P<step>\d+), (?P<name>lr) = (?P<value>\d[\d.]{0,20}(?:e[-+]?\d+)?)$"),
    any_name=True,
    whole=True,
)
"""Caffe's solver: `Iteration 100, lr = 0.01`."""
AVERAGE = Shape(
    " avg",
    re.compile(
        r"^\s?(?P<step>\d+): -?[\dna.]{1,20}, (?P<value>-?\d{1,9}\.\d{1,9}|-?nan) (?P<name>avg(?: loss)?), "
        r"[\d.]{1,12} rate"
    ),
    any_name=True,
    whole=True,
)
"""Darknet: `100: 2.123123, 2.312312 avg loss, 0.001000 rate, 3.1 seconds, 6400 images`."""
MEAN_AP = Shape(
    "(mAP@",
    re.compile(r"^\s?(?P<name>mean average precision \(mAP@[\d.]{1,6}\)) = (?P<value>\d\.\d{1,9})"),
    any_name=True,
    whole=True,
)
"""Darknet: ` mean average precision (mAP@0.50) = 0.762312, or 76.23 %`."""

PRESETS = (
    Preset("caffe", "Caffe", TEXT, (r"\bsolver\.cpp:\d+\]",), (*COMMON, ITERATION)),
    Preset("darknet", "Darknet", TEXT, (r"^\s?\d+: [\d.]+, [\d.]+ avg(?: loss)?, [\d.]+ rate",), (AVERAGE, MEAN_AP)),
    Preset("catalyst", "Catalyst", TEXT, (r"\d+/\d+ \* Epoch \(\w+\)", r"\* Epoch \(\d+/\d+\)"), (EPOCH_OF,)),
    Preset("ultralytics", "Ultralytics YOLO", ALL, (r"\bGPU_mem +box_loss", r"^\s+Class +Images +Instances")),
    Preset(
        "mmengine",
        "MMEngine: MMDetection, MMSegmentation, ...",
        ALL,
        (r"Epoch\(\w+\)\s*\[\d+\]", r"Iter\(\w+\)\s*\["),
        COMMON,
    ),
    Preset("detectron2", "Detectron2", ALL, (r"\beta: .{1,20} iter: \d+ +total_loss: ", r"d2\.(?:utils|engine|eval)")),
    Preset("fairseq", "fairseq", ALL, (r"\| num_updates \d", r"train_wall", r"\bwps=.{0,40}\bups=")),
    Preset("megatron", "Megatron-LM", TEXT, (r"\| consumed samples: ", r"elapsed time per iteration")),
    Preset(
        "deepspeed",
        "DeepSpeed",
        ALL,
        (r"\[logging\.py:\d+:log_dist\]", r"RunningAvgSamplesPerSec", r"^steps: \d+ loss: .{1,60} iter time \(s\): "),
    ),
    Preset("spacy", "spaCy", frozenset(("tables",)), (r"^E +# +LOSS ",)),
    Preset("allennlp", "AllenNLP", ALL, (r"\ballennlp\.", r'"best_validation_', r"\|\|: +\d{1,3}%\|"), (BOTH,)),
    Preset("mindspore", "MindSpore", frozenset(("dicts", "pairs")), (r"epoch: \d+ step: \d+, loss is ",), (LOSS_IS,)),
    Preset("marian", "Marian", TEXT, (r"Ep\. \d+ : Up\. \d+ : ",), (UPDATE,), only=True),
    Preset("stable_baselines3", "Stable-Baselines3", ALL, (r"^\| (?:rollout|time|train|eval)/ +\|",)),
)
