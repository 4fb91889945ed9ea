import io
import json
from pathlib import Path

import numpy as np
import pytest
from k12cv.trainer.artifacts import load_model, read_metrics, save_metrics, save_model
from k12cv.trainer.card import Card
from k12cv.trainer.evaluate import judge, majority_baseline
from k12cv.trainer.models import Training, create
from k12cv.trainer.report import Bar, metrics_line
from k12cv.trainer.train import annealed

CARD = Card("mlp", ("a", "学"), 8, "gray", 4, 2, "digits")


def trained() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((40, 8, 8, 1), dtype=np.float32), rng.integers(0, 2, 40)


@pytest.mark.parametrize("name", ["softmax", "mlp", pytest.param("cnn", marks=pytest.mark.torch)])
def test_a_stored_model_goes_on_exactly_where_it_was(name: str, tmp_path: Path) -> None:
    if name == "cnn":
        pytest.importorskip("torch")
    images, labels = trained()
    card = Card(name, CARD.classes, 8, "gray", 4, 1, "digits")
    model = create(card, Training())
    model.fit_scale(images)
    model.train_epoch(images, labels, 1, 0.01, lambda: None)
    save_model(tmp_path, card, model)
    stored, copy = load_model(tmp_path, Training())
    assert stored == card
    assert np.array_equal(copy.predict(images, 7), model.predict(images, 7))
    assert model.train_epoch(images, labels, 2, 0.01, lambda: None) == copy.train_epoch(
        images, labels, 2, 0.01, lambda: None
    )
    assert np.array_equal(copy.predict(images, 40), model.predict(images, 40))
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_metrics(tmp_path, "train", {"loss": 1.0})
    before = (tmp_path / "metrics.json").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_metrics(tmp_path, "train", {"loss": 2.0})
    assert (tmp_path / "metrics.json").read_bytes() == before


def test_metrics_keep_what_other_tasks_found_until_a_new_training(tmp_path: Path) -> None:
    save_metrics(tmp_path, "train", {"loss": float("nan"), "history": [{"x": float("inf")}]})
    save_metrics(tmp_path, "evaluate", {"accuracy": 0.5})
    stored = json.loads((tmp_path / "metrics.json").read_text())
    assert stored == {"train": {"loss": None, "history": [{"x": None}]}, "evaluate": {"accuracy": 0.5}}
    save_metrics(tmp_path, "train", {})
    assert read_metrics(tmp_path) == {"train": {}}
    (tmp_path / "metrics.json").write_text("[rubbish")
    assert read_metrics(tmp_path) == {}


def test_figures_of_a_known_case() -> None:
    truth = np.array([0, 0, 0, 1])
    likely = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])
    result, matrix = judge(likely, truth, ("a", "b"))
    assert matrix.tolist() == [[2, 1], [0, 1]]
    assert result["accuracy"] == 0.75
    assert result["loss"] == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.7]).mean())
    assert result["per_class"]["a"] == {"precision": 1.0, "recall": 2 / 3, "f1": 0.8, "images": 3}
    assert result["per_class"]["b"]["precision"] == 0.5
    assert majority_baseline(truth) == 0.75


def test_the_bar_redraws_in_place_at_a_bounded_rate() -> None:
    now = 0.0
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    bar = Bar(stream, lambda: now)
    bar.start("Epoch 1/2", 200)
    for _ in range(100):
        now += 0.01
        bar.step()
    bar.end()
    bar.start("Epoch 2/2", 100)
    stream.flush()
    text = stream.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert text.startswith("\rEpoch 1/2:   0%|                    | 0/200 [00:00<?, ?it/s]\r")
    assert "\rEpoch 1/2:  50%|██████████          | 100/200 [00:01<00:01, 100.00it/s]\n" in text
    assert text.endswith("\rEpoch 2/2:  50%|██████████          | 100/200 [00:01<00:01, 100.00it/s]")
    assert 8 <= text.count("\r") <= 14


def test_a_metrics_line_is_plain() -> None:
    assert metrics_line({"epoch": 3, "loss": 0.25, "bad": float("nan")}) == "epoch=3 loss=0.250000 bad=nan"


def test_the_learning_rate_falls() -> None:
    rates = [annealed(0.01, epoch, 10) for epoch in range(1, 11)]
    assert rates[0] == 0.01
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.0005
