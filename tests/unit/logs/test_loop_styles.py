"""Styles of training loops that people write, and ordinary lines that look like them."""

import pytest

from k12ai_ws.logs.pipeline import Pipeline
from k12ai_ws.wire.bodies import Metrics

Values = dict[str, float | None]


def metrics(log: str) -> list[Values]:
    pipeline = Pipeline(["auto"])
    events = [*pipeline.feed(log.encode()), *pipeline.close(at_ms=0)]
    return [dict(event.values) for event in events if isinstance(event, Metrics)]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("  training loss:\t\t0.428733", {"training loss": 0.428733}),
        ("Step #100\tEpoch   1\tBatch 10\tLoss: 0.8873", {"step": 100, "epoch": 1, "Loss": 0.8873}),
        ("Epoch 1 completed in 12.3s with loss 0.3747", {"epoch": 1, "loss": 0.3747}),
        ("At epoch 3 the loss is 0.4051", {"epoch": 3, "loss": 0.4051}),
        (
            "The average loss for epoch 0 is    8.42 and mean absolute error is    2.21.",
            {"epoch": 0, "average loss": 8.42, "mean absolute error": 2.21},
        ),
        ("Up to batch 5, the average loss is   23.33.", {"average loss": 23.33}),
        ("The loss after epoch 2 is 0.5123", {"epoch": 2, "loss": 0.5123}),
        ("Training loss (for one batch) at step 100: 0.5408", {"step": 100, "Training loss": 0.5408}),
        ("Loss after mini-batch   500: 0.999", {"Loss": 0.999}),
        ("Accuracy for fold 1: 35.1 %", {"Accuracy": 35.1}),
        ("Valid MR at step 200: 51.974597", {"step": 200, "Valid MR": 51.974597}),
        ("Evaluation over 10 episodes: 123.456", {"Evaluation": 123.456}),
        ("Accuracy on all data: 0.3125", {"Accuracy": 0.3125}),
        ("LOSS train 0.28865 valid 0.41924", {"LOSS train": 0.28865, "LOSS valid": 0.41924}),
        ("Episode 3 finished after 12 timesteps with reward 30.53", {"step": 3, "reward": 30.53}),
        ("R^2 score: 0.8123", {"R^2 score": 0.8123}),
        ("200 ROCAUC: 93.23%", {"ROCAUC": 93.23}),
        ("INFO Epoch 0 CV info cv_loss 10.629702", {"epoch": 0, "cv_loss": 10.629702}),
        ("INFO:root:Epoch[1] Train-accuracy=0.433750", {"epoch": 1, "Train-accuracy": 0.43375}),
        ("[0: 10/30] train loss: 1.162114 accuracy: 0.35", {"epoch": 0, "step": 10, "train loss": 1.162114}),
        ("1epoch:train:1-10batch: loss_ctc=13.191, acc=0.516", {"epoch": 1, "loss_ctc": 13.191, "acc": 0.516}),
        ("Epoch 1 loss: tensor(0.5234, grad_fn=<MulBackward0>)", {"epoch": 1, "loss": 0.5234}),
        ("val_loss tensor(0.4123, device='cuda:0')", {"val_loss": 0.4123}),
        ("epoch 1 | 训练loss 0.9126 | 验证acc 0.4759", {"epoch": 1, "训练loss": 0.9126, "验证acc": 0.4759}),
        ("epoch: 1, 损失\uff1a0.8545\uff0c准确率\uff1a0.4931", {"epoch": 1, "损失": 0.8545, "准确率": 0.4931}),
        ("OrderedDict([('epoch', 1), ('loss', 0.2944), ('acc', 0.79)])", {"epoch": 1, "loss": 0.2944, "acc": 0.79}),
        (
            "epoch 1: {'train': {'loss': 0.1965}, 'val': {'loss': 0.2611}}",
            {"epoch": 1, "train/loss": 0.1965, "val/loss": 0.2611},
        ),
        ('{"results": {"fid50k_full": 300.1234}, "num_gpus": 1}', {"results/fid50k_full": 300.1234}),
        ("[CV 1/3] END ..............C=0.1, kernel=linear;, score=0.960 total time=   0.0s", {"score": 0.96}),
        (
            "[CV 2/2; 1/2] END C=0.1; accuracy: (train=0.9, test=0.8) f1: (train=0.7, test=0.6) total time=   0.0s",
            {"train_accuracy": 0.9, "test_accuracy": 0.8, "train_f1": 0.7, "test_f1": 0.6},
        ),
        ("SVM Accuracy: 0.95", {"SVM Accuracy": 0.95}),
        ("Mean absolute error: 0.51", {"Mean absolute error": 0.51}),
        ("Test Accuracy of the model on the 10000 test images: 97.12 %", {"Test Accuracy": 97.12}),
        ("The Root Mean Squared Error (RMSE) on test data = 0.1543", {"Root Mean Squared Error (RMSE)": 0.1543}),
        ("R-squared: 0.812", {"R-squared": 0.812}),
        ("Adjusted Rand Index: 0.8831", {"Adjusted Rand Index": 0.8831}),
        ("  Final Test: 71.21", {"Final Test": 71.21}),
        ("logging_writer.py:64] [200] eval_accuracy=0.81, eval_loss=0.71", {"eval_accuracy": 0.81, "eval_loss": 0.71}),
        ("I0112 10:12:31.123456 14 logging_writer.py:64] [200] acc=0.81, loss=0.71", {"step": 200, "acc": 0.81}),
        ("INFO  o.d.o.l.ScoreIterationListener - Score at iteration 100 is 0.51", {"step": 100, "Score": 0.51}),
        ("Epoch 1, Itrs 10/30000, Loss=2.312312", {"epoch": 1, "step": 10, "Loss": 2.312312}),
        ("CV loss 51.2 loss_ctc 71.2 history loss 50.2", {"loss_ctc": 71.2, "history loss": 50.2}),
        ("iter 10 || Loss: 15.2312 || timer: 0.1231 sec.", {"step": 10, "Loss": 15.2312, "timer": "none"}),
        ("step:  1  loss: 12.2721  tps: 3,110  grad_norm: 1.7312", {"loss": 12.2721, "tps": "none"}),
        ("Step: 12ms | Tot: 12s1ms | Loss: 1.512 | Acc: 45.123% (5/10)", {"step": "none", "Loss": 1.512}),
        ("<epoch: 3, iter: 100, lr:(1.000e-04,)> l_pix: 3.1231e-02", {"step": 100, "l_pix": 0.031231, "lr": 0.0001}),
        ("| AverageEpRet |            21.3 |", {"AverageEpRet": 21.3}),
        (
            '{"epoch": 1, "update": 0.5, "loss": "3.123", "num_updates": "100"}',
            {"epoch": 1, "step": 100, "loss": 3.123},
        ),
        ("训练次数：100, Loss: 2.2912", {"step": 100, "Loss": 2.2912}),
        ("整体测试集上的正确率: 0.2712", {"整体测试集上的正确率": 0.2712}),
        ("训练轮次: 3/10, 损失值: 0.6931, 准确率为0.51", {"epoch": 3, "损失值": 0.6931}),
        ("第1个epoch的损失:0.512", {"epoch": 1, "损失": 0.512}),
        ("Function value obtained: 5.9666", {"Function value obtained": 5.9666}),
        ("\t0.8231\t = Validation score   (accuracy)", {"Validation score": 0.8231}),
        ("\t Train loss/train/total: 11.8217", {"loss/train/total": 11.8217}),
        ("1.2 it/s, 484.8/s/gpu LR: 0.000001 Loss: 6.9312 (6.9312)", {"LR": 0.000001, "Loss": 6.9312}),
        ("Epoch 1 | iter 20 step 5 | loss train: 2.112, val: 2.214", {"loss train": 2.112, "loss val": 2.214}),
        ("step    2/99 | loss 10.0112 (-1.23z)| norm 14.2312 (+nanz)", {"step": 2, "loss": 10.0112, "norm": 14.2312}),
        (
            "DEV : loss 0.1123 - f1-score (micro avg)  0.7123",
            {"dev loss": 0.1123, "dev f1-score (micro avg)": 0.7123},
        ),
    ],
)
def test_a_line_with_metrics(line: str, values: Values) -> None:
    found = metrics(line)
    assert len(found) == 1
    assert {name: found[0].get(name, "none") for name in values} == values


@pytest.mark.parametrize(
    "heading",
    [
        "Epoch: [3 | 164] LR: 0.100000",
        "Epoch: 03 | Epoch Time: 0m 12s",
        "2026-11-23 12:00:01,123 - Model - INFO - Epoch 3 (3/200):",
        "======== Epoch 3 / 4 ========",
        "[epoch=3][batch=10/100]:",
    ],
)
def test_a_heading_says_the_epoch_of_the_lines_below(heading: str) -> None:
    assert metrics(f"{heading}\nTrain Loss: 0.693 | Train Acc: 50.12%\n") == [
        {"epoch": 3, "Train Loss": 0.693, "Train Acc": 50.12}
    ]


def test_a_heading_ends_what_the_lines_above_it_said() -> None:
    log = "Epoch 1/2\nEpoch: 1, loss: 0.51\nEpoch 2/2\ntrain Loss: 0.5 Acc: 0.7\nval Loss: 0.3 Acc: 0.8\n"
    assert [values["epoch"] for values in metrics(log)] == [1, 2, 2]


def test_yolos_older_tables_have_short_names() -> None:
    log = (
        "     Epoch   gpu_mem       box       obj       cls     total    labels  img_size\n"
        "      0/99     3.12G   0.04512   0.06123   0.01712    0.1234       221       640: 100%|##########| 8/8 [00:05<"
        "00:00,  1.51it/s]\n"
        "               Class     Images  Labels          P          R     mAP@.5  mAP@.5:.95: 100%|####| 4/4 [00:01]\n"
        "                 all        128     929      0.712      0.631      0.714      0.475\n"
    )
    assert metrics(log) == [
        {"epoch": 0, "box": 0.04512, "obj": 0.06123, "cls": 0.01712, "total": 0.1234},
        {"epoch": 0, "P": 0.712, "R": 0.631, "mAP@.5": 0.714, "mAP@.5:.95": 0.475},
    ]


def test_chainers_bar_stands_between_the_rows_of_its_table() -> None:
    log = (
        "epoch       main/loss   validation/main/loss  main/accuracy  elapsed_time\n"
        "     total [##................................................]  5.00%\n"
        "this epoch [..................................................]  0.00%\n"
        "       600 iter, 1 epoch / 20 epochs\n"
        "    101.23 iters/sec. Estimated time to finish: 0:01:52.612312.\n"
        "1           0.190612    0.0931231             0.942317       3.11231\n"
    )
    assert metrics(log) == [
        {"epoch": 1, "main/loss": 0.190612, "validation/main/loss": 0.0931231, "main/accuracy": 0.942317}
    ]


def test_a_table_of_a_search_shows_its_target_and_not_what_was_tried() -> None:
    table = "|   iter    |  target   |     x     |\n-------------------\n| 1   | -7.135    | 2.834     |\n"
    assert metrics(table) == [{"step": 1, "target": -7.135}]


@pytest.mark.parametrize(
    "line",
    [
        "The validation split is 0.2.",
        "Validation split is 0.25",
        "The value of pi is 3.14159.",
        "The ratio of the test set is 0.1, as before.",
        "we went on with 0.5 and the rest with 0.75",
        "weights: tensor(0.5234, dtype=torch.float32)",
        "Time on all data: 0.3125",
        "Missing values in the 'data' are represented as NaN's. Missing values",
        "        return 0.5",
        "Version for fold 1: 3.5",
        "OrderedDict([('lr', 0.01), ('momentum', 0.9)])",
        "{'optimizer': {'lr': 0.01}, 'scheduler': {'gamma': 0.5}}",
        "[CV] END .....................C=0.1, kernel=linear; total time=   0.0s",
    ],
)
def test_a_line_without_metrics(line: str) -> None:
    assert metrics(line) == []


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("轮次: 3, 损失: 0.6931", {"epoch": 3, "损失": 0.6931}),
        ("轮数: 3/10, 损失: 0.6931", {"epoch": 3, "损失": 0.6931}),
        ("步数: 100, 损失: 0.6931", {"step": 100, "损失": 0.6931}),
        ("周期: 3, 损失: 0.6931", {"epoch": 3, "损失": 0.6931}),
        ("迭代次数: 100, 损失: 0.6931", {"step": 100, "损失": 0.6931}),
        ("第3轮训练损失: 0.6931", {"epoch": 3, "训练损失": 0.6931}),
        ("轮廓系数: 0.5512", {"轮廓系数": 0.5512}),
        ("次级损失: 0.5112", {"次级损失": 0.5112}),
        ("步骤损失: 0.5112", {"步骤损失": 0.5112}),
        ("识别率: 0.9512, 测试集得分: 0.9112", {"识别率": 0.9512, "测试集得分": 0.9112}),
        ("Accuracy of the model: 0.951, loss: 0.312", {"Accuracy of the model": 0.951, "loss": 0.312}),
        ("loss 0.512/val acc 0.412", {"loss": 0.512, "val acc": 0.412}),
        ("train::loss: 0.512", {"loss": 0.512}),
        ("Eval loss/train: 0.512", {"Eval loss/train": 0.512}),
        ("Loss train: 0.512, val: 2000", {"Loss train": 0.512, "Loss val": "none"}),
        ("100 it/s loss 0.512", {"loss": 0.512}),
    ],
)
def test_names_that_look_like_parts_of_others(line: str, values: Values) -> None:
    (found,) = metrics(line)
    assert {name: found.get(name, "none") for name in values} == values


@pytest.mark.parametrize(
    "line",
    [
        "aten::nll_loss   1.23%   123us",
        "Baseline accuracy: 0.9",
        "Minimal accuracy: 0.95",
        "target accuracy: 0.95",
        "Focal Loss: 0.25",
        "Relative error: 1e-05",
        "CUDA error: 0.5",
        "Final Test: 12.34 s",
        "epoch 2 loss 0.5 improved from 0.6",
        "old accuracy 0.91 against baseline 0.90",
        "   12 |     float acc = 0.0;",
        "[NeMo I 2026-01-12 10:12:31 wer_bpe:189] reference:hello world",
    ],
)
def test_a_setting_or_a_sentence(line: str) -> None:
    assert metrics(line) == []
