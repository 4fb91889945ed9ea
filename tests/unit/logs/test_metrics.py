"""What log lines of training programs give as metrics, and what gives none."""

from pathlib import Path

import pytest

from k12ai_ws.logs.batch import parse
from k12ai_ws.wire.bodies import Fault, LogEvent, Metrics
from k12ai_ws.wire.codes import Code

FIXTURES = Path(__file__).parent / "fixtures"


def metrics(log: str | bytes, *parsers: str) -> list[dict[str, float | None]]:
    data = log.encode() if isinstance(log, str) else log
    return [dict(e.values) for e in parse(data, parsers or ("auto",)) if isinstance(e, Metrics)]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("epoch=3 train_loss=0.1234 val_accuracy=0.9611", {"epoch": 3, "train_loss": 0.1234, "val_accuracy": 0.9611}),
        ("Epoch 1, Train Loss: 0.5, Val Acc: 91.2%", {"epoch": 1, "Train Loss": 0.5, "Val Acc": 91.2}),
        ("step 2 | loss nan | acc 0.4062", {"step": 2, "loss": None, "acc": 0.4062}),
        ("Iteration 12, loss = 1.69476660", {"step": 12, "loss": 1.6947666}),
        ("10/10 - 0s - 3ms/step - loss: 86.1 - val_mae: 7.4", {"loss": 86.1, "val_mae": 7.4}),
        (
            "{'loss': '0.68', 'learning_rate': '1e-3', 'epoch': '0.4'}",
            {"epoch": 0.4, "loss": 0.68, "learning_rate": 0.001},
        ),
        ('{"epoch": 0, "step": 5, "eval": {"loss": 0.4}}', {"epoch": 0, "step": 5, "eval/loss": 0.4}),
        ("loss=nan acc=inf top=-inf", {"loss": None, "acc": None, "top": None}),
        ("epoch 2: {'accuracy': np.float64(0.94)}", {"epoch": 2, "accuracy": 0.94}),
        ("2026-11-23 07:41:34,076 INFO train.py:204 - step 5 loss=0.65 acc=0.5", {"step": 5, "loss": 0.65, "acc": 0.5}),
        ("11/23/2026 07:52:41 - INFO - train - [RANK 0] epoch 0: loss=0.6181", {"epoch": 0, "loss": 0.6181}),
        ("[rank1] step 8/20 loss: 0.3868 acc: 0.9297", {"step": 8, "loss": 0.3868, "acc": 0.9297}),
        ("[3]\ttrain-logloss:0.48\teval-auc:0.98", {"step": 3, "train-logloss": 0.48, "eval-auc": 0.98}),
        ("[2]\ttraining's l2: 7.8\tvalid_1's l2: 9.8", {"step": 2, "training's l2": 7.8, "valid_1's l2": 9.8}),
        ("4:\tlearn: 1.1\ttest: 1.2\tbest: 1.2 (4)\ttotal: 47ms", {"step": 4, "learn": 1.1, "test": 1.2}),
        (
            "Epoch: [1][ 4/10]\tTime 0.003 ( 0.004)\tLoss 6.5e-01 (6.9e-01)\tAcc@1  50.00 ( 49.06)",
            {"epoch": 1, "step": 4, "Loss": 0.65, "Acc@1": 50.0},
        ),
        ("Test set: Average loss: 0.40, Accuracy: 169/200 (84%)", {"test Average loss": 0.4, "test Accuracy": 84.5}),
        (
            "Epoch 1/3: 100%|####| 10/10 [00:00<00:00, 26.2it/s, acc=0.98, loss=0.04]",
            {"epoch": 1, "step": 10, "acc": 0.98, "loss": 0.04},
        ),
        ("iter 5: loss 0.6255, time 2.17ms, mfu -100.00%", {"step": 5, "loss": 0.6255}),
        ("Accuracy of the network on the 10000 test images: 54 %", {"Accuracy": 54}),
        ("Test accuracy: 0.9722", {"Test accuracy": 0.9722}),
        ("[1,  2000] loss: 2.183", {"epoch": 1, "step": 2000, "loss": 2.183}),
        ("[step 1] loss=0.693", {"step": 1, "loss": 0.693}),
        ("Loss at step 30: 0.6931", {"step": 30, "Loss": 0.6931}),
        ("Cost after 1000 iterations: 0.5123", {"step": 1000, "Cost": 0.5123}),
        ("Final test accuracy is 81.23%.", {"Final test accuracy": 81.23}),
        ("Average test accuracy over 5 runs: 0.8123 ± 0.0123", {"Average test accuracy": 0.8123}),
        ("Accuracy for class: plane is 37.4 %", {"Accuracy for class: plane": 37.4}),
        ("HellaSwag accuracy: 2463/10042=0.2453", {"HellaSwag accuracy": 0.2453}),
        ("step:1000/1390 train_time:123456ms step_avg:95.12ms val_loss:3.2784", {"step": 1000, "val_loss": 3.2784}),
        ("val Loss: 0.2512 Acc: 0.9085", {"val Loss": 0.2512, "val Acc": 0.9085}),
        (
            "[Epoch 3] train: loss=0.512 acc=0.812 | val: loss=0.612 acc=0.782",
            {"epoch": 3, "train loss": 0.512, "train acc": 0.812, "val loss": 0.612, "val acc": 0.782},
        ),
        ("[Valid] Epoch 5 Loss 0.6123", {"epoch": 5, "valid Loss": 0.6123}),
        ("Epoch: 001, Loss: 1.9, Train: 0.43, Val: 0.28", {"epoch": 1, "Loss": 1.9, "Train": 0.43, "Val": 0.28}),
        (
            "[0/25][50/1583] Loss_D: 0.08 D(x): 0.97 D(G(z)): 0.012 / 0.03",
            {"epoch": 0, "step": 50, "Loss_D": 0.08, "D(x)": 0.97, "D(G(z))": 0.012},
        ),
        ("loss(train)=0.5123 loss(val)=0.6123", {"loss(train)": 0.5123, "loss(val)": 0.6123}),
        ("Epoch 4: loss = 0.4123, top-1 = 81.2", {"epoch": 4, "loss": 0.4123, "top-1": 81.2}),
        ("R@1: 45.2 R@10: 82.1", {"R@1": 45.2, "R@10": 82.1}),
        (
            "mAP@0.5: 0.612, mAP@0.5:0.95: 0.412, mAP50-95: 0.4",
            {"mAP@0.5": 0.612, "mAP@0.5:0.95": 0.412, "mAP50-95": 0.4},
        ),
        ("mean IoU: 77.2", {"mean IoU": 77.2}),
        ("Accuracy (%): 91.2, PSNR (dB): 31.2", {"Accuracy": 91.2, "PSNR": 31.2}),
        ("epoch 1 loss: 0.4 loss_mask: 0.18", {"epoch": 1, "loss": 0.4, "loss_mask": 0.18}),
        ("episode: 100/1000, score: 23, e: 0.95", {"step": 100, "score": 23}),
        ("第3轮 损失: 0.5123 准确率: 0.8123", {"epoch": 3, "损失": 0.5123, "准确率": 0.8123}),
        ("第3轮 epoch=3 损失 loss=0.5", {"epoch": 3, "loss": 0.5}),
    ],
)
def test_a_line_with_metrics(line: str, values: dict[str, float | None]) -> None:
    (found,) = metrics(line)
    assert {name: found.get(name, "missing") for name in values} == values
    assert list(values) == [name for name in found if name in values]


@pytest.mark.parametrize(
    "line",
    [
        "loading shard 17 of 200",
        "Namespace(lr=0.001, batch_size=32, dropout=0.1, loss_scale=128.0)",
        "batch_size: 32",
        "weight_decay=0.0001",
        "torch 2.1.0+cu121, cuda 12.1, numpy 1.26.4",
        "ip=172.17.0.2 port=29500 world_size=1",
        "2024-01-01 10:00:00,023 [INFO] heartbeat 0 uptime=0.5s mem=102.4MB cpu=3.0%",
        "Time: 10:23:45  Date: 2024-05-06",
        "shape=(1797, 64) mean=4.8842 std=6.0168",
        "model has 1,234,567 parameters (4.71 MB)",
        '{"dropout": 0.1, "label_smoothing": 0.1, "version": "1.13.0"}',
        "(linear1): Linear(in_features=16, out_features=32, bias=True)",
        "[LightGBM] [Info] Start training from score -0.106768",
        "count  100.000000  100.000000",
        "Using learning rate 3e-05, weight decay 0.01 and 3 epochs",
        "ERROR rate of the model: 3 %",
        "saved to checkpoints/loss_0.25.pt",
    ],
)
def test_a_line_without_metrics(line: str) -> None:
    assert metrics(line) == []


def test_a_log_of_settings_machines_and_prose_has_no_metrics() -> None:
    assert metrics((FIXTURES / "no_metrics.log").read_bytes()) == []


def test_each_of_these_lines_alone_has_none_either() -> None:
    lines = (FIXTURES / "no_metrics.log").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 200
    assert {line: found for line in lines if (found := metrics(line))} == {}


@pytest.mark.parametrize(
    "line",
    [
        "l2: 0.0001",
        "nms_iou: 0.7",
        "conf=0.25, iou=0.7",
        "map_location: 0.0",
        "gan_loss: 0.01",
        "target_accuracy: 0.95",
    ],
)
def test_a_round_number_is_a_setting_until_something_was_reported(line: str) -> None:
    assert metrics(line) == []
    assert len(metrics(f"epoch=1 loss=0.5123\n{line}\n")) == 2


def test_a_heading_says_the_epoch_of_the_lines_below() -> None:
    log = "Epoch 2/3\n10/10 - 0s - loss: 0.5 - val_loss: 0.6\nTest loss: 0.7\n"
    assert metrics(log) == [{"epoch": 2, "loss": 0.5, "val_loss": 0.6}, {"Test loss": 0.7}]


def test_a_validation_line_belongs_to_the_training_line_above() -> None:
    assert metrics("Iteration 4, loss = 0.8\nValidation score: 0.4\n")[1] == {"step": 4, "Validation score": 0.4}


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("epoch,train_loss,lr\n0,0.5,0.2\n1,0.25,0.2\n", [(0, 0.5), (1, 0.25)]),
        (
            "      Iter       train_loss   Remaining Time \n    1   1.5    0.05s\n    2   1.25   0.04s\n",
            [(1, 1.5), (2, 1.25)],
        ),
    ],
)
def test_tables(table: str, rows: list[tuple[int, float]]) -> None:
    found = metrics(table)
    assert [(v.get("epoch", v.get("step")), v["train_loss"]) for v in found] == rows


def test_a_drawn_table() -> None:
    log = "┏━━━━━━━┳━━━━━━┓\n┃ split ┃ loss ┃\n┡━━━━━━━╇━━━━━━┩\n│ train │ 0.61 │\n│ val   │ 0.40 │\n└───────┴──────┘\n"
    assert metrics(log) == [{"train_loss": 0.61}, {"val_loss": 0.40}]


def test_a_list_of_numbers_is_no_metric() -> None:
    assert metrics("{'loss': [0.96, 0.70, 0.62], 'accuracy': [0.5, 0.6, 0.7]}\n") == []
    assert metrics("loss: [0.96 0.70]\n") == []
    assert metrics("betas: (0.9, 0.999) loss: (0.5, 0.4)\n") == []


def test_a_bar_of_rich_goes_on_in_the_lines_below() -> None:
    bar = (
        "Epoch {}/2  ━━━━━━━━━━━━━━ {}/10 0:00:00 • 0:00:00 109.05it/s train_loss:\n"
        + " " * 60
        + "{} val_loss:\n"
        + " " * 60
        + "{}\n"
    )
    log = bar.format(1, 5, 0.7, 0.6) + bar.format(1, 10, 0.5, 0.4) + bar.format(2, 10, 0.3, 0.2) + "done\n"
    assert metrics(log) == [
        {"epoch": 1, "train_loss": 0.5, "val_loss": 0.4},
        {"epoch": 2, "train_loss": 0.3, "val_loss": 0.2},
    ]


def test_not_finite_is_null_and_said_once() -> None:
    events: list[LogEvent] = parse(b"step 1 loss nan\nstep 2 loss inf\nstep 3 loss=-inf\n", ("auto",))
    assert [dict(e.values)["loss"] for e in events if isinstance(e, Metrics)] == [None, None, None]
    (fault,) = [e for e in events if isinstance(e, Fault)]
    assert (fault.code, fault.severity) == (Code.LOSS_NOT_FINITE, "warning")
    assert "loss" in (fault.message or "")


def test_fixtures() -> None:
    bars = metrics((FIXTURES / "bars.log").read_bytes())
    assert bars == [
        {"epoch": e, "train_loss": round(1 / e, 4), "val_accuracy": round(0.9 + e / 100, 4)} for e in (1, 2, 3)
    ]
    keras = metrics((FIXTURES / "keras.log").read_bytes())
    assert keras == [
        {"epoch": 1, "accuracy": 0.45, "loss": 0.7333, "val_loss": 0.7197},
        {"epoch": 2, "accuracy": 0.55, "loss": None, "val_loss": 0.6197},
    ]
