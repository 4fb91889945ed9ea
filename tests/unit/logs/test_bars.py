"""What a line with a bar or a counter shows, and what is no progress at all. The lines are the libraries' own."""

import pytest

from k12ai_ws.logs.bars import read_progress
from k12ai_ws.logs.batch import parse
from k12ai_ws.wire.bodies import Metrics, Progress

HEAVY = "━━━━━━━━━━━━━━━━━━━━"


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("Epoch 3: 45%|####   | 9/20 [00:01<00:02, 7.9it/s]", Progress(0.45, 9, 20, "it", "Epoch 3", 2.0, 7.9)),
        ("slow:  50%|#####     | 3/6 [00:07<00:08,  2.50s/it]", Progress(0.5, 3, 6, "it", "slow", 8.0, 0.4)),
        ("b: 50%|00oo  | 3/6 [00:01<00:00,  3.33batch/s, loss=.5]", Progress(0.5, 3, 6, "batch", "b", 0.0, 3.33)),
        ("m.bin:  50%|█████     | 24M/48M [00:00<00:01, 208MB/s]", Progress(0.5, 24e6, 48e6, "B", "m.bin", 1.0, 208e6)),
        (
            "scaled: 25%|██▌    | 3.0k/12k [00:01<00:03, 3.0kit/s]",
            Progress(0.25, 3000, 12000, "it", "scaled", 3.0, 3000),
        ),
        (
            "Map: 50%|█████| 500/1000 [00:00<00:00, 4000.00 examples/s]",
            Progress(0.5, 500, 1000, "examples", "Map", 0.0, 4000),
        ),
        ("nobar 3/6 [00:00<00:01, 19.83it/s]", Progress(0.5, 3, 6, "it", "nobar", 1.0, 19.83)),
        ("a | b: c 50% of:  50% 3/6 [00:00<00:01, 2.0it/s]", Progress(0.5, 3, 6, "it", "a | b: c 50% of", 1.0, 2.0)),
        ("short:  50%|█████     | 3/6", Progress(0.5, 3, 6, None, "short")),
        ("Validation: |          | 0/? [00:00<?, ?it/s]", Progress(0.0, 0, None, "it", "Validation")),
        ("unknown: 22it [00:00, 102.33it/s]", Progress(0.0, 22, None, "it", "unknown", None, 102.33)),
        (
            "Generating train split: 100 examples [00:00, 3000.00 examples/s]",
            Progress(0.0, 100, None, "examples", "Generating train split", None, 3000.0),
        ),
        (
            "    1/3    2.35G    2.936    3.115     12     640:  45%|████▌   | 9/20 [00:02<00:02,  4.5it/s]",
            Progress(0.45, 9, 20, "it", "1/3", 2.0, 4.5),
        ),
        (
            "      1/3      2.35G      2.936      3.115         12        640: 45% ━━━━━╸────── 9/20 4.5it/s 2.0s<2.4s",
            Progress(0.45, 9, 20, "it", "1/3", 2.0, 4.5),
        ),
        (
            "Basic2  15%|██████         |  3/20 [00:08<00:46, 0.37 steps/s]",
            Progress(0.15, 3, 20, "steps", "Basic2", 46.0, 0.37),
        ),
    ],
)
def test_tqdm_and_its_kin(line: str, progress: Progress) -> None:
    assert read_progress(line) == progress


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        (" 10/100 [=>............................] - ETA: 3s - loss: 0.5", Progress(0.1, 10, 100, None, None, 3.0)),
        (
            "100/100 [==============================] - 3s 20ms/step - loss: 0.5",
            Progress(1.0, 100, 100, "step", None, 0.0, 50.0),
        ),
        (f" 1/10 {HEAVY} 3s 16ms/step - loss: 0.8", Progress(0.1, 1, 10, "step", None, 3.0, 62.5)),
        ("10/20 - 1s - 20ms/step - loss: 0.5", Progress(0.5, 10, 20, "step", None, 1.0, 50.0)),
        ("  5/Unknown 1s 4ms/step - loss: 0.5", Progress(0.0, 5, None, "step", None, None, 250.0)),
        (
            "step  10/100 [==>...........................] - loss: 0.5000 - ETA: 3s - 20ms/step",
            Progress(0.1, 10, 100, "step", "step", 3.0, 50.0),
        ),
        (f"Downloading... {HEAVY}  50% 0:00:02", Progress(0.5, 50.0, 100, "%", "Downloading", 2.0)),
        (f"⠹ Epoch 1/3 {HEAVY}  6/30 0:00:00 0:00:04  20%", Progress(0.2, 6, 30, None, "Epoch 1/3", 4.0)),
        (
            f"weights.bin {HEAVY} 7.5/30.0 MB 32.5 MB/s 0:00:01",
            Progress(0.25, 7.5e6, 30e6, "B", "weights.bin", 1.0, 32.5e6),
        ),
        (f"   {HEAVY} 30.0/120.0 MB 3.5 MB/s eta 0:00:24", Progress(0.25, 30e6, 120e6, "B", None, 24.0, 3.5e6)),
        (
            f"Epoch 0/2  {HEAVY} 5/10 0:00:00 • 0:00:01 12.5it/s v_num: 0.000",
            Progress(0.5, 5, 10, "it", "Epoch 0/2", 1.0, 12.5),
        ),
        ("Processing |#####                           | 4/20", Progress(0.2, 4, 20, None, "Processing")),
        ("Loading |@@@@@@@@@                       | 30.0% - 1s", Progress(0.3, 30.0, 100, "%", "Loading", 1.0)),
        ("Processing ◉◉◉◉◉◉◯◯◯◯◯◯◯◯◯◯◯◯◯◯◯◯ 20%", Progress(0.2, 20.0, 100, "%", "Processing")),
        (
            "Alive |████████████████            | █▆▄ 15/20 [75%] in 1s (~3s, 30.5/s) ",
            Progress(0.75, 15, 20, None, "Alive", 3.0, 30.5),
        ),
        (
            " 45% (9 of 20) |########          | Elapsed Time: 0:00:01 ETA: 0:00:02",
            Progress(0.45, 9, 20, None, None, 2.0),
        ),
        (
            "Modifying accounts  [------------------------------------]    0%",
            Progress(0.0, 0.0, 100, "%", "Modifying accounts"),
        ),
        ("pos  [#####---------------------]  4/20  00:00:01", Progress(0.2, 4, 20, None, "pos", 1.0)),
        (
            "a1b2: Downloading [=====>                  ]  10MB/40MB",
            Progress(0.25, 10e6, 40e6, "B", "a1b2: Downloading"),
        ),
        ("#######                                   25.0%", Progress(0.25, 25.0, 100, "%")),
        (
            "  7200K .......... .......... .......... .......... .......... 12%  155M 2s",
            Progress(0.12, 12.0, 100, "%", None, 2.0),
        ),
        (
            "/dev/null     75%[==============>     ]  43.34M  30.0MB/s    eta 2s",
            Progress(0.75, 75.0, 100, "%", "/dev/null", 2.0),
        ),
        ("total [########..................] 16.5%", Progress(0.165, 16.5, 100, "%", "total")),
    ],
)
def test_drawn_bars(line: str, progress: Progress) -> None:
    assert read_progress(line) == progress


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("Epoch 3/10", Progress(0.2, 2, 10, "epoch")),
        ("Epoch 3/10 - loss: 0.5 - val_loss: 0.3", Progress(0.3, 3, 10, "epoch")),
        ("Epoch [3/10], Step [150/600], Loss: 0.2", Progress(0.25, 150, 600, "step", "Epoch 3/10")),
        ("Train Epoch: 1 [160/640 (25%)]\tLoss: 0.6", Progress(0.25, 160, 640, None, "Epoch 1")),
        ("Epoch: [0]  [ 5/10]  eta: 0:00:09  lr: 0.2  loss: 0.7 (0.7)", Progress(0.5, 5, 10, None, "Epoch 0", 9.0)),
        (
            "11/23 10:00:00 - mmengine - INFO - Iter(train) [  50/200]  lr: 1.0e-02  eta: 1 day, 0:00:10  time: 0.01",
            Progress(0.25, 50, 200, "iter", None, 86410.0),
        ),
        (
            "2021-05-01 10:00:00 | INFO | train_inner | epoch 001:     10 / 100 loss=9.8, ppl=900",
            Progress(0.1, 10, 100, None, "Epoch 001"),
        ),
        (" iteration       10/     100 | consumed samples:  320 |", Progress(0.1, 10, 100, "iteration")),
        (
            "[11/23 10:00:00 d2.utils.events]:  eta: 0:00:10  iter: 20  total_loss: 1.2  time: 0.5  data_time: 0.01",
            Progress(0.5, 20, None, "iter", None, 10.0, 2.0),
        ),
        ("[10/100] Building CXX object a.cc.o", Progress(0.1, 10, 100)),
        ("[ 45%] Building CXX object a.cc.o", Progress(0.45, 45.0, 100, "%")),
        (
            "Receiving objects:  45% (450/1000), 1.2 MiB | 600.00 KiB/s",
            Progress(0.45, 450, 1000, None, "Receiving objects"),
        ),
        (
            "2021 : INFO : EPOCH 1 - PROGRESS: at 25.00% examples, 1000 words/s",
            Progress(0.25, 25.0, 100, "%", "PROGRESS"),
        ),
        (
            "Progress:  25.0% words/sec/thread:  1000 lr:  0.05 ETA:   0h 1m 3s",
            Progress(0.25, 25.0, 100, "%", "Progress", 63.0),
        ),
        ("Downloading model.bin: 30.0/120.0 MB", Progress(0.25, 30e6, 120e6, "B", "Downloading model.bin")),
        ("Downloading 45%", Progress(0.45, 45.0, 100, "%", "Downloading")),
        ("40% complete", Progress(0.4, 40.0, 100, "%")),
        (" 10%", Progress(0.1, 10.0, 100, "%")),
        ("Epoch 3 of 10", Progress(0.2, 2, 10, "epoch")),
        ("[Parallel(n_jobs=2)]: Done  10 out of 100 | elapsed:    0.5s", Progress(0.1, 10, 100, "task")),
        ("building tree 3 of 10", Progress(0.3, 3, 10, "tree")),
    ],
)
def test_counters_in_words(line: str, progress: Progress) -> None:
    assert read_progress(line) == progress


@pytest.mark.parametrize(
    "line",
    [
        "accuracy: 95%",
        "Training accuracy: 95%",
        "val acc 45.5%",
        "CPU 45%",
        "CPU: 45%",
        "Warning: 45% of values missing",
        "Reading 45% of file",
        "10/12",
        "on 10/12/2024",
        "2024/10/12 08:00:01 something",
        "[11/23 08:30:22 d2.utils.events]: total_loss: 1.2",
        "loading /data/1/2",
        "3/10 passed",
        "tests: 3/10 failed",
        "Accuracy: 169/200 (84%)",
        "/dev/sda1   100G   45G   55G  45% /",
        "| N/A   45C    P0    30W / 300W |   1234MiB / 16384MiB |     17%      Default |",
        "| --- | --- | 3/4 |",
        "===== Results 95% =====",
        "EarlyStopping counter: 2 out of 5",
        "[...] 45% of it",
        "Model size: 45/50 MB",
        "Loaded 10/12 layers",
        "Saved model to /ckpt/epoch 3/10/model",
        "split train/test 80%/20%",
        "[10/12/2024 10:00] x",
        "images 45/100 broken",
        "[CV 1/3] END .............................C=0.1;, score=0.890 total time=   0.0s",
    ],
)
def test_no_progress(line: str) -> None:
    assert read_progress(line) is None


def test_a_bar_is_no_metric_and_its_postfix_is_one() -> None:
    log = (
        b"Map: 100%|####| 1000/1000 [00:00<00:00, 4000.00 examples/s]\n"
        b"mAP: 50%|##  | 1/2 [00:00<00:00, 2.00it/s]\n"
        b"unknown: 22it [00:00, 102.33it/s]\n"
        b"slow: 100%|#####| 6/6 [00:01<00:00, 3.33batch/s, acc=0.9, loss=0.5]\n"
    )
    found = [dict(e.values) for e in parse(log) if isinstance(e, Metrics)]
    assert found == [{"step": 6, "acc": 0.9, "loss": 0.5}]
