"""Numbers that look like measured ones and are a command's, a program's text or its settings; and those that look
like nothing and were measured.
"""

import pytest

from k12ai_ws.logs.batch import parse
from k12ai_ws.wire.bodies import Metrics

Values = dict[str, float | None]


def metrics(log: str, *parsers: str) -> list[Values]:
    return [dict(e.values) for e in parse(log.encode(), parsers or ("auto",)) if isinstance(e, Metrics)]


@pytest.mark.parametrize(
    "line",
    [
        "+ python eval.py --min_acc=0.5123",
        "+ loss=0.5123",
        "python train.py --loss 0.5123",
        "LOSS=0.5123 CUDA_VISIBLE_DEVICES=0 python -u train.py",
        "torchrun --nproc_per_node 2 train.py optim.loss=0.5123",
        "export LOSS=0.5123",
        "sbatch --export=LOSS=0.5123 run.sh",
        "usage: train.py [-h] [--acc=0.5123]",
        "  --loss LOSS  the loss: 0.5123 by default",
        "-loss = 0.5123",
        "+    loss = 0.4123",
        "In [3]: acc=0.9123",
        "    model.compile(loss=0.5123)",
        'throw new TypeError("bad thing: acc=0.5123")',
        'print("loss: 0.5123")',
        "                   loss_D: 0.5",
        "config:\n  loss: 0.3\n",
        "----- Options -----\n  acc: 0.5\n",
        "Loss: 0,5",
        "Epoch 1 Loss: 0,512 Acc: 0,91",
        "loss: tensor([0.5123, 0.6123])",
    ],
)
def test_nothing_was_measured(line: str) -> None:
    assert metrics(line) == []


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("epoch,my_thing\n1,0.5\n", {"epoch": 1, "my_thing": 0.5}),
        ("step;a1;b1\n1;0,5;0,6\n", {"step": 1, "a1": 0.5, "b1": 0.6}),
    ],
)
def test_a_table_of_unknown_names_is_a_report_where_a_preset_says_so(table: str, values: Values) -> None:
    assert metrics(table, "csv") == [values]
    assert metrics(table) == []
    assert metrics("when, what, more\n1,2.5,3\n", "csv") == []


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("Epoch 2 --loss 0.5123", {"epoch": 2, "loss": 0.5123}),
        ("--- val loss: 0.5123 ---", {"val loss": 0.5123}),
        ("- loss: 0.5123", {"loss": 0.5123}),
        ("+ Epoch 3 loss=0.5123", {"epoch": 3, "loss": 0.5123}),
        ("train(loss=0.5123)", {"loss": 0.5123}),
        ("epoch 3: update(loss=0.5123)", {"epoch": 3, "loss": 0.5123}),
        ("config:\n  lr: 0.1\nloss: 0.3\n", {"loss": 0.3}),
        ("config:\n  lr: 0.1\nEpoch 1/2\n  loss: 0.3\n", {"epoch": 1, "loss": 0.3}),
        ("{12:30:45} loss=0.5123", {"loss": 0.5123}),
        ("time 0.5 loss 0.4123", {"loss": 0.4123}),
        ("Loss: 1,234.5", {"Loss": 1234.5}),
        ("loss: tf.Tensor(0.5, shape=(), dtype=float32)", {"loss": 0.5}),
        ("epoch 1 loss tensor([0.4], device='cuda:0')", {"epoch": 1, "loss": 0.4}),
        ("loss tensor(1., grad_fn=<NllLossBackward0>)", {"loss": 1.0}),
        ("Acc 95.3 %", {"Acc": 95.3}),
        ("MSE 0.1234", {"MSE": 0.1234}),
        ("mAP: 0.5", {"mAP": 0.5}),
        ("LogLoss: 0.4", {"LogLoss": 0.4}),
        ("cross_val_score: 0.91", {"cross_val_score": 0.91}),
        ("F1-score: 0.9 (best: 0.95)", {"F1-score": 0.9, "best": 0.95}),
        ("Best accuracy so far: 0.9", {"Best accuracy so far": 0.9}),
        ("Test accuracy (10000 images): 91.2%", {"Test accuracy": 91.2}),
        ("PSNR: 30.2dB", {"PSNR": 30.2}),
        ("R^2 = 0.8", {"R^2": 0.8}),
        ("INFO:root:Epoch[0] Time cost=1.234 loss=0.5123", {"epoch": 0, "loss": 0.5123}),
        ("Epoch: [0] [10/100] loss: 1.2345 batch_cost: 0.5123 ips: 15.6", {"epoch": 0, "step": 10, "loss": 1.2345}),
        ("Train Epoch: 0 Loss: 5.54 Batch (t): 1.234, 207.4/s", {"epoch": 0, "Loss": 5.54}),
        ("Train: [0/300][10/1251]\tloss 6.9567 (6.9412)", {"epoch": 0, "step": 10, "loss": 6.9567}),
        ("the old one reaches accuracy 0.91", {"accuracy": 0.91}),
    ],
)
def test_this_was_measured(line: str, values: Values) -> None:
    assert metrics(line) == [values]
