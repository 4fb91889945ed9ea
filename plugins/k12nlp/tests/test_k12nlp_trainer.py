"""The trainer as a program, from its command line to its files."""

import csv
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from k12nlp.trainer import artifacts, progress
from k12nlp.trainer.classifier import kind


def run(*words, ok=True):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "k12nlp.trainer", *map(str, words)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()  # as they are: text mode would change \r
    assert (done.returncode == 0) == ok, done.stderr
    return done


def figures(line):
    return {name: float(value) for name, value in re.findall(r"(\w+)=([-\d.]+)", line)}


def epochs(done):
    return [figures(line) for line in done.stdout.splitlines() if line.startswith("epoch=")]


def last(done, name):
    return next(f for line in reversed(done.stdout.splitlines()) if name in (f := figures(line)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A linear model trained on `subjects` with the defaults, and what the program printed."""
    output = tmp_path_factory.mktemp("trained")
    return output, run("train", "--output", output)


@pytest.fixture
def reviews(tmp_path):
    """A small dataset of the operator's own, with other field names: what is `wet` and what is `dry`."""
    root = tmp_path / "datasets"
    root.mkdir()
    places = ["river", "lake", "sea", "pond", "brook", "desert", "dune", "steppe", "oven", "attic"]
    with (root / "reviews.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["place", "kind"])
        for number in range(60):
            place = places[number % 10]
            writer.writerow([f"the {place} number {number}", "wet" if number % 10 < 5 else "dry"])
    return root


def test_train_learns_subjects_far_better_than_the_baseline(trained):
    output, done = trained
    lines = epochs(done)
    assert [line["epoch"] for line in lines] == list(range(1, 21))
    assert all(set(line) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"} for line in lines)
    assert lines[-1]["loss"] < lines[0]["loss"] / 2
    final = last(done, "test_accuracy")
    assert final["majority_baseline"] < 0.3
    assert final["test_accuracy"] > final["majority_baseline"] + 0.35
    metrics = json.loads((output / "metrics.json").read_text())["train"]
    assert len(metrics["history"]) == 20
    assert round(metrics["test"]["accuracy"], 4) == final["test_accuracy"]


def test_the_confusion_matrix_is_that_of_the_reported_accuracy(trained):
    output, done = trained
    with (output / "confusion_matrix.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    matrix = np.array([[int(cell) for cell in row[1:]] for row in rows])
    final = last(done, "test_accuracy")
    assert head[1:] == [row[0] for row in rows] == sorted(head[1:])
    assert matrix.sum() == final["test_texts"]
    assert round(matrix.trace() / matrix.sum(), 4) == final["test_accuracy"]


def test_the_bar_is_redrawn_in_place_and_ends_full(trained):
    _, done = trained
    assert re.fullmatch(r"(\rTraining: +\d+%\|[█ ]{10}\| \d+/\d+ \[[\d:]+<[\d:]+, [\d.]+batch/s\]\n?)+", done.stderr)
    total = re.findall(r"(\d+)/(\d+) \[", done.stderr)[-1]
    assert total[0] == total[1]
    assert done.stderr.count("\n") == 20


def test_the_same_seed_gives_the_same_training(trained, tmp_path):
    _, first = trained
    again = run("train", "--output", tmp_path)
    assert epochs(again) == epochs(first)
    other = run("train", "--output", tmp_path, "--seed", "1", "--epochs", "2")
    assert epochs(other) != epochs(first)[:2]


def test_resumed_training_is_the_same_as_training_in_one_go(trained, tmp_path):
    _, whole = trained
    run("train", "--output", tmp_path, "--epochs", "8")
    rest = run("train", "--output", tmp_path, "--epochs", "12", "--resume")
    assert epochs(rest) == epochs(whole)[8:]
    assert last(rest, "test_accuracy") == last(whole, "test_accuracy")


def test_evaluate_measures_what_training_reported(trained):
    output, done = trained
    measured = last(run("evaluate", "--output", output), "accuracy")
    final = last(done, "test_accuracy")
    assert measured["accuracy"] == final["test_accuracy"]
    assert measured["majority_baseline"] == final["majority_baseline"]
    assert set(json.loads((output / "metrics.json").read_text())) >= {"train", "evaluate"}
    seen = last(run("evaluate", "--output", output, "--split", "train"), "accuracy")
    assert seen["accuracy"] > 0.9
    run("evaluate", "--output", output)  # leave the matrix as the other tests expect it


def test_predict_labels_the_test_split_by_default(trained):
    output, done = trained
    measured = last(run("predict", "--output", output), "accuracy")
    assert measured["accuracy"] == last(done, "test_accuracy")["test_accuracy"]
    lines = [json.loads(line) for line in (output / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == measured["texts"]
    assert all(set(line) == {"text", "label", "probability", "truth"} for line in lines)


def test_predict_labels_texts(trained):
    output, _ = trained
    texts = json.dumps(["秦始皇为什么修建长城？", "Solve x^2 = 49 for x.", "!", "\ud800"])
    run("predict", "--output", output, "--text=Which acid reacts with zinc to give hydrogen?", f"--texts={texts}")
    lines = [json.loads(line) for line in (output / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["label"] for line in lines][:3] == ["chemistry", "history", "mathematics"]
    assert all(0 < line["probability"] <= 1 and "truth" not in line for line in lines)
    assert len(lines) == 5


def test_a_dataset_of_ones_own_from_training_to_prediction(reviews, tmp_path):
    places = ["--output", tmp_path / "out", "--datasets", reviews]
    fields = ["--dataset=reviews.csv", "--text-field=place", "--label-field=kind"]
    done = run("train", *places, *fields, "--epochs=10")
    assert last(done, "test_accuracy")["test_accuracy"] == 1.0
    assert last(run("evaluate", *places, "--split=all"), "accuracy")["texts"] == 60
    (reviews / "new.jsonl").write_text('{"place": "a lake"}\n{"place": "a desert", "kind": "dry"}\n')
    measured = last(run("predict", *places, "--file=new.jsonl"), "accuracy")
    assert measured["texts"] == 2
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [line["label"] for line in lines] == ["wet", "dry"]
    assert [line.get("truth") for line in lines] == [None, "dry"]


def test_a_model_of_other_classes_or_another_kind_is_not_resumed(trained, reviews, tmp_path):
    output, _ = trained
    fields = ["--datasets", reviews, "--dataset=reviews.csv", "--text-field=place", "--label-field=kind"]
    before = (output / "model.npz").read_bytes()
    assert (
        "ValueError: cannot resume: the dataset's classes"
        in run("train", "--output", output, "--resume", *fields, ok=False).stderr
    )
    assert (
        "labels that the model does not know: ['dry', 'wet']"
        in run("evaluate", "--output", output, *fields, ok=False).stderr
    )
    assert "MissingModelError" in run("train", "--output", tmp_path, "--resume", ok=False).stderr
    assert (output / "model.npz").read_bytes() == before


def test_a_file_too_small_to_split_says_so(tmp_path):
    (tmp_path / "few.csv").write_text("text,label\na,x\nb,y\n")
    done = run("train", "--output", tmp_path / "out", "--datasets", tmp_path, "--dataset=few.csv", ok=False)
    assert "few.csv: 2 texts leave none for the split" in done.stderr
    assert "Traceback (most recent call last)" in done.stderr


def test_a_loss_that_is_not_finite_ends_training_and_saves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "k12nlp.trainer", "train", "--learning-rate=1e300", "--output", str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert "FloatingPointError: the loss is not finite in epoch" in done.stderr
    assert "nan" in done.stdout
    assert not any("model" in path.name for path in tmp_path.iterdir())


def damage(path: Path, how: str) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if how == "no weights":
        del members["weight.npy"]
    elif how == "pickle":
        with path.with_suffix(".tmp").open("wb") as file:
            np.save(file, np.array([{}], dtype=object), allow_pickle=True)
        members["bias.npy"] = path.with_suffix(".tmp").read_bytes()
    elif how == "wrong shape":
        with path.with_suffix(".tmp").open("wb") as file:
            np.save(file, np.zeros(3, np.float32))
        members["bias.npy"] = path.with_suffix(".tmp").read_bytes()
    elif how == "huge claim":
        members["bias.npy"] = members["bias.npy"].replace(b"(6,), }", b"(999999999999,), }")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    if how == "flipped bytes":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)


@pytest.mark.parametrize("how", ["no weights", "pickle", "wrong shape", "flipped bytes", "huge claim"])
def test_a_damaged_model_is_refused_and_nothing_is_unpickled(trained, tmp_path, how):
    (tmp_path / "model.npz").write_bytes((trained[0] / "model.npz").read_bytes())
    artifacts.load_model(tmp_path)
    damage(tmp_path / "model.npz", how)
    with pytest.raises(artifacts.BrokenModelError, match="train again"):
        artifacts.load_model(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text("old")

    def fail(file):
        file.write(b"new")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        artifacts.write(path, fail)
    assert path.read_text() == "old"
    artifacts.write(path, lambda file: file.write(b"new"))
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_the_trainer_never_imports_the_server():
    code = "import k12nlp.trainer.__main__, sys; print([m for m in sys.modules if m.startswith(('k12ai_ws', 'torch'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_pytorch_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "k12nlp.trainer.transformer", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'k12nlp\[torch\]'"):
        kind("transformer")


def test_the_bar_counts_the_time_left():
    class Stream:
        text = ""

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    now, stream = [0.0], Stream()
    bar = progress.Bar(10, stream, lambda: now[0])
    for _ in range(5):
        now[0] += 800.0
        bar.step()
    assert stream.text.endswith("\rTraining:  50%|█████     | 5/10 [1:06:40<1:06:40, 0.00batch/s]")


@pytest.mark.torch
def test_transformer_trains_resumes_and_predicts(reviews, tmp_path):
    pytest.importorskip("torch")
    fields = ["--datasets", reviews, "--dataset=reviews.csv", "--text-field=place", "--label-field=kind"]
    whole = run("train", "--model=transformer", *fields, "--output", tmp_path / "one", "--epochs=6")
    assert last(whole, "test_accuracy")["test_accuracy"] > last(whole, "majority_baseline")["majority_baseline"]
    assert epochs(whole)[-1]["loss"] < epochs(whole)[0]["loss"]
    run("train", "--model=transformer", *fields, "--output", tmp_path / "two", "--epochs=2")
    rest = run("train", "--model=transformer", *fields, "--output", tmp_path / "two", "--epochs=4", "--resume")
    assert epochs(rest) == epochs(whole)[2:]
    measured = last(run("evaluate", "--datasets", reviews, "--output", tmp_path / "two"), "accuracy")
    assert measured["accuracy"] == last(rest, "test_accuracy")["test_accuracy"]
    run(
        "predict",
        "--datasets",
        reviews,
        "--output",
        tmp_path / "two",
        "--text=a lake",
        "--text= ",
        "--text=" + "光" * 500,
    )
    assert len((tmp_path / "two" / "predictions.jsonl").read_text().splitlines()) == 3
    assert (
        "cannot resume: the model is a 'transformer'"
        in run("train", *fields, "--output", tmp_path / "two", "--resume", ok=False).stderr
    )
