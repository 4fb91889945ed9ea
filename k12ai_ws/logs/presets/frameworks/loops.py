"""Training loops that people copy and write: PyTorch's examples, torchvision's references, timm, nanoGPT.

Sources: pytorch/examples, pytorch.org/tutorials, pytorch/vision `references/`, huggingface/pytorch-image-models
`train.py`, karpathy's nanoGPT, minGPT, build-nanogpt and the speedruns that grew out of it.
"""

import re

from k12ai_ws.logs.presets.preset import TEXT, Preset, Shape

BRACKETS = Shape(
    "poch",
    re.compile(
        r"\b[eE]poch\s{0,4}(?:\(\w{1,20}\))?\s{0,4}:?\s{0,4}\[\s{0,6}(?P<epoch>\d+)\s{0,6}(?:/\s{0,6}\d+)?\s{0,6}\]"
        r"\s{0,6}(?:\[\s{0,6}(?P<step>\d+)\s{0,6}/\s{0,6}\d+\s{0,6}\])?"
    ),
)
"""`Epoch: [1][ 4/10]`, `Epoch [1/3]`."""
TUTORIAL = Shape("[", re.compile(r"^\[(?P<epoch>\d+),\s{1,8}(?P<step>\d+)\]\s"))
"""`[1,  2000] loss: 2.183`."""
COUNTED = Shape(
    " [",
    re.compile(
        r"^(?:train|training|val|validation|test|eval)\s{0,4}:\s{0,4}(?P<epoch>\d+)\s{1,4}\[\s{0,6}(?P<step>\d+)/",
        re.IGNORECASE,
    ),
)
"""`Train: 0 [  50/100 ( 51%)]`."""
COLON = Shape(": ", re.compile(r"^\[(?P<epoch>\d+): {1,6}(?P<step>\d+)/\d+\] "))
"""`[0: 10/30] train loss: 0.53`."""
JOINED = Shape("epoch", re.compile(r"^(?P<epoch>\d+)epoch(?=[: ])"))
"""ESPnet: `1epoch:train:1-10batch: ... loss=7.8`."""
PAIR = Shape("][", re.compile(r"^(?:Train: )?\[(?P<epoch>\d+)/\d+\]\s?\[(?P<step>\d+)/\d+\]"))
"""`[0/25][50/1583] Loss_D: 0.08`."""
BATCHES = Shape("batches", re.compile(r"\|\s{1,6}(?P<step>\d+)/\s{0,6}\d+ batches \|"))
"""`| epoch   1 |   200/ 2983 batches | ... | loss  7.62`."""
OF_ALL = Shape(
    "ccuracy",
    re.compile(
        r"^\W{0,8}(?P<name>(?:[tT]est |[tT]rain(?:ing)? |[vV]alid(?:ation)? )?\w{0,40}[aA]ccuracy) of [^:=]{1,80}[:=]"
        r"\s{0,4}(?P<value>\d+(?:\.\d+)?)\s{0,2}%"
    ),
    whole=True,
)
"""`Accuracy of the network on the 10000 test images: 54 %`."""
ON_DATA = Shape(
    " on ",
    re.compile(
        r"^\W{0,8}(?:[tT]he )?(?P<name>(?:[A-Za-z-]{1,20} ){0,5}[A-Za-z-]{1,20} \([A-Za-z\d]{1,10}\)) on (?:the )?"
        r"(?:test|train|training|valid|validation) (?:data|set) ?[:=] (?P<value>[-+]?\d{1,12}\.\d{1,20})"
    ),
    whole=True,
)
"""Spark's examples: `Root Mean Squared Error (RMSE) on test data = 0.154318`."""
OF_RUN = Shape(
    ": ",
    re.compile(
        r"^\s{0,8}(?P<name>(?:Highest|Final) (?:Train|Valid|Test)): (?P<value>\d{1,3}\.\d{1,6})\s*(?:±[^\n]{0,20}|%)?$"
    ),
    any_name=True,
    whole=True,
)
"""The Open Graph Benchmark's `Logger`: `Highest Train: 73.12`, `  Final Test: 71.21`."""
WRITTEN = Shape(
    "] ",
    re.compile(
        r"^\[(?P<step>\d{1,12})\] "
        r"(?=[A-Za-z][\w/.]{0,80}=-?[\d.][\w.+-]{0,30}(?:, [A-Za-z][\w/.]{0,80}=-?[\d.][\w.+-]{0,30}){0,40}$)"
    ),
)
"""clu's `LoggingWriter`: `[200] eval_accuracy=0.81, eval_loss=0.71`."""
OF_CLASS = Shape(
    "ccuracy for class",
    re.compile(r"^\W{0,8}(?P<name>[aA]ccuracy for class:? {1,4}\S{1,40}) {1,8}is {1,4}(?P<value>\d+(?:\.\d+)?) ?%"),
    whole=True,
)
"""`Accuracy for class: plane is 37.4 %`."""
AT = Shape(
    " ",
    re.compile(
        r"^\W{0,8}(?:\S{1,60} - )?(?:the )?"
        r"(?P<name>(?:[\w@/.][\w@/.-]{0,39} ){0,3}[\w@/.-]{1,40})(?: \([a-z ]{1,30}\))?"
        r" (?:at|after|for|on|in|of) "
        r"(?:(?:epoch|ep) #?(?P<epoch>\d+)|(?:global )?(?:step|iteration|iter) #?(?P<step>\d+)"
        r"|(?P<epochs>\d+) epochs?|(?P<steps>\d+) (?:steps?|iterations?|iters?|updates?)"
        r"|(?:mini-?|train |val )?(?:batch|fold|run|seed|split|trial) {1,6}#?\d+)"
        r" ?(?::|=|is|was) {0,4}(?P<value>[-+]?\d+\.\d+(?:[eE][-+]?\d+)?|\d{1,3}(?= ?%))(?![\w.:]| and )",
        re.IGNORECASE,
    ),
    of_split=True,
    whole=True,
)
"""`Loss at step 10: 0.693`, `Cost after 100 iterations: 0.693`, `Accuracy for fold 1: 91.2 %`."""
IS = Shape(
    "s ",
    re.compile(
        r"^\W{0,8}(?:the )?(?P<name>(?:[\w@/.-]{1,40} ){0,3}[\w@/.-]{1,40}) (?:is|was):? "
        r"(?P<value>\d{1,8}\.\d{1,20}|\d{1,3}(?= ?%)) ?%?\.?$",
        re.IGNORECASE,
    ),
    whole=True,
)
"""`Final accuracy is 0.8123`."""
OVER = Shape(
    " over ",
    re.compile(
        r"^\W{0,8}(?P<name>(?:[\w@/.-]{1,40} ){0,3}[\w@/.-]{1,40}) over \d+ (?:runs|seeds|folds|episodes): "
        r"(?P<value>[\d.]{1,20}) ?%?"
    ),
    of_split=True,
    whole=True,
)
"""`Average test accuracy over 5 runs: 0.8123`."""
SENTENCE = Shape(
    "he ",
    re.compile(
        r"\b[tT]he (?P<name>(?:[\w@/.-]{1,40} ){0,3}[\w@/.-]{1,40}?)(?: (?:for|at|after|of|in) (?:epoch|step) \d{1,9})?"
        r" is {1,8}(?P<value>[-+]?\d{1,12}\.\d{1,20})(?:$|%|[.,;](?:\s|$)| (?:and|at|after|with)\b)"
    ),
)
"""`At epoch 3 the loss is 0.40`, `The average loss for epoch 0 is    8.42 and mean absolute error is ...`."""
AND_SENTENCE = Shape(
    " and ",
    re.compile(
        r" and (?:the )?(?P<name>(?:[\w@/.-]{1,40} ){0,3}[\w@/.-]{1,40}?)"
        r" is {1,8}(?P<value>[-+]?\d{1,12}\.\d{1,20})\.?$"
    ),
)
"""... and the rest of it."""
ROUND_ZH = Shape("第", re.compile(r"第 ?(?P<epoch>\d+) ?(?:/ ?\d+ ?)?(?:轮|个? ?epoch)"))
STEP_ZH = Shape("第", re.compile(r"第 ?(?P<step>\d+) ?(?:/ ?\d+ ?)?(?:步|次(?:迭代|训练))"))
"""`第3轮`, `第 100 步`."""
COCO = Shape(
    " @[ IoU=",
    re.compile(
        r"^ ?(?P<name>Average (?:Precision|Recall) {1,8}\((?:AP|AR)\) @\[ IoU=[\d.:]{1,12} {0,8}\| area=[ \w]{1,12}\| "
        r"maxDets=[ \d]{1,8}\]) = (?P<value>-?\d\.\d{1,12})"
    ),
    whole=True,
)
"""pycocotools: `Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.732`."""

COMMON = (BRACKETS, AT, IS, OVER, ON_DATA, SENTENCE, AND_SENTENCE, ROUND_ZH, STEP_ZH, WRITTEN)
"""What loops of any kind write."""

PRESETS = (
    Preset(
        "torchvision",
        "torchvision's references and other MetricLogger styles",
        TEXT,
        (r"^(?:Epoch: \[\d+\] +\[ *\d+/\d+\]|\w+: +\[ *\d+/\d+\]) +eta: ",),
        (BRACKETS, COCO),
    ),
    Preset("timm", "timm's train.py", TEXT, (r"Train: \d+ \[ *\d+/\d+ \( *\d+%\)\]",), (COUNTED,)),
    Preset(
        "nanogpt",
        "nanoGPT and its kin",
        TEXT,
        (r"^iter \d+: loss .{1,40}mfu", r"^iter_dt ", r"^step \d+: train loss [\d.]+, val loss", r" tok/s(?:ec)?\b"),
    ),
    Preset(
        "pytorch",
        "PyTorch's examples and tutorials",
        TEXT,
        (
            r"^Train Epoch: \d+ \[\d+/\d+ \(",
            r"^Epoch: \[\d+\]\[ *\d+/\d+\]\t",
            r"^ \*\s+(?:Acc|Prec)@1 ",
            r"^\[\d+, +\d+\] loss: ",
            r"^Test set: Average loss: ",
            r"^\| (?:end of )?epoch +\d+ \| ",
            r"^loss: [\d.]+ +\[ *\d+/\d+\]",
            r"^\[\d+/\d+\]\[\d+/\d+\]\s*Loss_D",
            r"^(?:train|val) Loss: [\d.]+ Acc: ",
        ),
        (*COMMON, TUTORIAL, COLON, JOINED, COUNTED, PAIR, BATCHES, OF_ALL, OF_CLASS, OF_RUN),
    ),
)
