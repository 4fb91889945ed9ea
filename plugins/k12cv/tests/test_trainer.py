"""The trainer end to end, as a process of its own, on real data."""

import csv
import json
import re
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Trainer = Callable[..., subprocess.CompletedProcess[str]]

EPOCH = re.compile(
    r"^epoch=(\d+) train_loss=\S+ train_accuracy=\S+ val_loss=\S+ val_accuracy=(\S+) learning_rate=\S+$", re.M
)


def metric(text: str, name: str) -> float:
    found = re.search(rf"(?<![\w.]){name}=(\S+)", text)
    assert found, f"no {name} in {text!r}"
    return float(found[1])


def kept(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_mlp_learns_digits_with_its_defaults_and_is_evaluated_and_used(trainer: Trainer, tmp_path: Path) -> None:
    trained = trainer("train", f"--output={tmp_path}", cwd=tmp_path.parent)
    assert trained.returncode == 0, trained.stderr
    assert [int(epoch) for epoch, _ in EPOCH.findall(trained.stdout)] == list(range(1, 21))
    assert metric(trained.stdout, "test_accuracy") >= 0.965
    assert "\rEpoch 1/20:   0%|" in trained.stderr
    assert re.search(r"\rEpoch 20/20: 100%\|.{20}\| 800/800 \[\d\d:\d\d<00:00, +[\d.]+it/s\]\n$", trained.stderr)
    assert sorted(kept(tmp_path)) == ["confusion_matrix.csv", "metrics.json", "model.npz"]

    evaluated = trainer("evaluate", f"--output={tmp_path}")
    assert evaluated.returncode == 0, evaluated.stderr
    assert metric(evaluated.stdout, "test_accuracy") == metric(trained.stdout, "test_accuracy")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["train"]["test"]["accuracy"] == metrics["evaluate"]["accuracy"]
    assert len(metrics["train"]["history"]) == 20
    assert 0.09 < metrics["evaluate"]["majority_baseline"] < 0.12
    rows = list(csv.reader((tmp_path / "confusion_matrix.csv").read_text(encoding="utf-8").splitlines()))
    counts = np.array([row[1:] for row in rows[1:]], dtype=int)
    assert rows[0][1:] == list("0123456789")
    assert counts.sum() == metrics["evaluate"]["images"] == 364
    assert counts.trace() / 364 == pytest.approx(metrics["evaluate"]["accuracy"])

    predicted = trainer("predict", f"--output={tmp_path}")
    assert predicted.returncode == 0, predicted.stderr
    predictions = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    right = sum(row["label"] == row["true_label"] for row in predictions)
    assert len(predictions) == 364
    assert right == counts.trace()
    assert all(0 < row["probability"] <= 1 for row in predictions)
    assert metric(predicted.stdout, "accuracy") == pytest.approx(right / 364, abs=1e-6)


def test_softmax_learns_digits(trainer: Trainer, tmp_path: Path) -> None:
    trained = trainer("train", f"--output={tmp_path}", "--model=softmax")
    assert trained.returncode == 0, trained.stderr
    assert metric(trained.stdout, "test_accuracy") >= 0.93


def test_the_same_seed_gives_the_same_model_and_another_seed_another(trainer: Trainer, tmp_path: Path) -> None:
    outputs = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        ran = trainer("train", f"--output={tmp_path / name}", "--epochs=2", f"--seed={seed}")
        assert ran.returncode == 0, ran.stderr
        outputs.append(ran.stdout)
    assert outputs[0] == outputs[1] != outputs[2]


def test_resume_goes_on_with_weights_and_epoch_numbers(trainer: Trainer, tmp_path: Path) -> None:
    first = trainer("train", f"--output={tmp_path}", "--epochs=3")
    more = trainer("train", f"--output={tmp_path}", "--epochs=2", "--resume")
    assert more.returncode == 0, more.stderr
    assert [int(epoch) for epoch, _ in EPOCH.findall(more.stdout)] == [4, 5]
    assert "\rEpoch 4/5:" in more.stderr
    assert metric(more.stdout, "train_loss") < 0.5 * metric(first.stdout, "train_loss")  # the first epoch of each
    history = json.loads((tmp_path / "metrics.json").read_text())["train"]["history"]
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    anew = trainer("train", f"--output={tmp_path}", "--epochs=1")
    assert [int(epoch) for epoch, _ in EPOCH.findall(anew.stdout)] == [1]
    assert len(json.loads((tmp_path / "metrics.json").read_text())["train"]["history"]) == 1


def test_a_model_of_other_classes_or_architecture_is_neither_resumed_nor_overwritten(
    trainer: Trainer, tmp_path: Path, datasets: Path, stripes_folder: Path
) -> None:
    output = tmp_path / "out"
    assert trainer("train", f"--output={output}", "--epochs=1").returncode == 0
    before = kept(output)
    common = (f"--output={output}", f"--datasets={datasets}", "--resume", "--epochs=1")
    for wrong, said in (
        (("--model=softmax",), "ValueError: cannot resume: the trained model has model 'mlp'"),
        (("--hidden=64",), "ValueError: cannot resume: the trained model has hidden 128"),
        (("--dataset=school/stripes",), "ValueError: cannot resume: the trained model has classes ('0',"),
    ):
        ran = trainer("train", *common, *wrong)
        assert ran.returncode == 1
        assert said in ran.stderr
    evaluated = trainer("evaluate", f"--output={output}", f"--datasets={datasets}", "--dataset=school/stripes")
    assert "ValueError: y contains previously unseen labels: ['across', 'down']" in evaluated.stderr
    assert kept(output) == before


def test_a_folder_is_learnt_and_loose_files_are_classified(
    trainer: Trainer, tmp_path: Path, datasets: Path, stripes_folder: Path
) -> None:
    (stripes_folder / "down" / "broken.jpg").write_bytes(b"no image")
    common = (f"--output={tmp_path / 'out'}", f"--datasets={datasets}")
    trained = trainer("train", *common, "--dataset=school/stripes", "--color=rgb", "--epochs=8", "--image-size=20")
    assert trained.returncode == 0, trained.stderr
    assert "warning: skipped broken image 'down/broken.jpg'" in trained.stderr
    assert metric(trained.stdout, "test_accuracy") == 1.0
    evaluated = trainer("evaluate", *common, "--dataset=school/stripes", "--split=all")
    assert metric(evaluated.stdout, "all_accuracy") == 1.0
    names = ["school/stripes/down/003.png", "school/stripes/across/004.png"]
    predicted = trainer("predict", *common, *(f"--files={name}" for name in names))
    assert predicted.returncode == 0, predicted.stderr
    rows = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [(row["image"], row["label"]) for row in rows] == list(zip(names, ["down", "across"], strict=True))
    assert "true_label" not in rows[0]


def test_without_a_model_there_is_nothing_to_evaluate(trainer: Trainer, tmp_path: Path) -> None:
    ran = trainer("evaluate", f"--output={tmp_path}")
    assert ran.returncode == 1
    assert re.search(r"FileNotFoundError: .*No such file or directory: '.*model\.npz'\n$", ran.stderr)


def test_a_damaged_or_pickled_model_is_refused(trainer: Trainer, tmp_path: Path) -> None:
    assert trainer("train", f"--output={tmp_path}", "--epochs=1").returncode == 0
    model = tmp_path / "model.npz"
    with zipfile.ZipFile(model) as archive:
        card = archive.read("card.json")
    np.savez(model, allow_pickle=True, mean=np.array([{"evil": print}], dtype=object))
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("card.json", card)
    for content in (model.read_bytes(), model.read_bytes()[:100], b"rubbish"):
        model.write_bytes(content)
        ran = trainer("predict", f"--output={tmp_path}")
        assert ran.returncode == 1
        assert "k12cv.trainer.card.BrokenModelError" in ran.stderr


def test_augmentation_sees_the_training_images_and_changes_the_training(
    trainer: Trainer, tmp_path: Path, datasets: Path
) -> None:
    (datasets / "noise.py").write_text(
        "import numpy as np\n"
        "def augment(images, labels):\n"
        "    assert images.shape == (1253, 8, 8) and images.dtype == np.float32 and labels.shape == (1253,)\n"
        "    images += np.random.normal(0, 0.2, images.shape)\n"
        "    return np.concatenate([images, images]), np.concatenate([labels, labels])\n"
    )
    common = (f"--datasets={datasets}", "--epochs=2")
    plain = trainer("train", f"--output={tmp_path / 'a'}", *common)
    noisy = trainer("train", f"--output={tmp_path / 'b'}", *common, "--augment=noise.py")
    again = trainer("train", f"--output={tmp_path / 'c'}", *common, "--augment=noise.py")
    assert noisy.returncode == 0, noisy.stderr
    assert plain.stdout != noisy.stdout == again.stdout
    assert "| 158/158 [" in noisy.stderr  # twice the images, so twice the steps
    assert not (datasets / "__pycache__").exists()


def test_a_bug_in_user_code_shows_the_users_own_file_and_line(trainer: Trainer, tmp_path: Path, datasets: Path) -> None:
    buggy = datasets / "school" / "buggy.py"
    buggy.parent.mkdir()
    buggy.write_text(
        "def augment(images, labels):\n    scale = labels.max() - 9\n    return images[scale + 99999], labels\n"
    )
    ran = trainer("train", f"--output={tmp_path / 'o'}", f"--datasets={datasets}", "--augment=school/buggy.py")
    assert ran.returncode == 1
    expected = f'  File "{buggy.resolve()}", line 3, in augment\n    return images[scale + 99999], labels\n'
    assert expected in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("IndexError: index 99999 is out of bounds")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return images", "TypeError: augment() of a.py must return (images, labels), not ndarray"),
        ("return images[:, :4], labels", "ValueError: augment() of a.py returned images of shape"),
        ("return images, labels[:5]", "ValueError: augment() of a.py returned labels int64[5] for 1253 images"),
        ("return images, labels + 1", "ValueError: augment() of a.py returned labels outside 0..9"),
        ("return images / 0 * 0, labels", "RuntimeWarning"),
        ("images[0] = float('nan'); return images, labels", "ValueError: augment() of a.py returned images with NaN"),
    ],
)
def test_a_wrong_result_of_augment_is_explained(
    trainer: Trainer, tmp_path: Path, datasets: Path, body: str, said: str
) -> None:
    (datasets / "a.py").write_text(f"def augment(images, labels):\n    {body}\n")
    ran = trainer("train", f"--output={tmp_path / 'o'}", f"--datasets={datasets}", "--augment=a.py")
    assert ran.returncode == 1
    assert said in ran.stderr


@pytest.mark.torch
def test_cnn_learns_digits_resumes_and_predicts(trainer: Trainer, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    trained = trainer("train", f"--output={tmp_path}", "--model=cnn")
    assert trained.returncode == 0, trained.stderr
    assert metric(trained.stdout, "test_accuracy") >= 0.975
    evaluated = trainer("evaluate", f"--output={tmp_path}")
    assert metric(evaluated.stdout, "test_accuracy") == metric(trained.stdout, "test_accuracy")
    more = trainer("train", f"--output={tmp_path}", "--model=cnn", "--resume", "--epochs=1", "--lr=0.0001")
    assert more.returncode == 0, more.stderr
    assert [int(epoch) for epoch, _ in EPOCH.findall(more.stdout)] == [21]
    assert metric(more.stdout, "train_loss") < 0.02
    assert trainer("predict", f"--output={tmp_path}").returncode == 0


@pytest.mark.torch
def test_cnn_is_the_same_for_the_same_seed_and_takes_coloured_images(
    trainer: Trainer, tmp_path: Path, datasets: Path, stripes_folder: Path
) -> None:
    pytest.importorskip("torch")
    outputs = []
    for name in ("a", "b"):
        common = (f"--output={tmp_path / name}", f"--datasets={datasets}", "--dataset=school/stripes")
        ran = trainer("train", *common, "--model=cnn", "--epochs=3", "--color=rgb", "--image-size=20")
        assert ran.returncode == 0, ran.stderr
        outputs.append(ran.stdout)
    assert outputs[0] == outputs[1]
    assert [int(epoch) for epoch, _ in EPOCH.findall(outputs[0])] == [1, 2, 3]
