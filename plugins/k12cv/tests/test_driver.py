import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from k12cv.driver import K12cvDriver, k12ai_drivers
from k12cv.trainer.__main__ import parser
from k12cv.trainer.card import CARD_MEMBER, MODEL_FILE, Card

from k12ai_ws.drivers import Code, Fault, Job, Refused

CARD = Card("mlp", ("a", "b"), 16, "gray", 128, 3, "school/stripes")


def job(task: str, output: Path, datasets: Path | None = None, **params: Any) -> Job:
    model = K12cvDriver.tasks[task].model_validate(params)
    return Job("j1", "ann", "p1", "k12cv", task, model, "en", output, datasets, None)


def write_model(folder: Path, card: str) -> None:
    with zipfile.ZipFile(folder / MODEL_FILE, "w") as archive:
        archive.writestr(CARD_MEMBER, card)


def refusal(wanted: Job) -> Refused:
    with pytest.raises(Refused) as caught:
        K12cvDriver().check(wanted)
    return caught.value


def test_the_plugin_is_found_by_its_entry_point() -> None:
    (found,) = (entry for entry in entry_points(group="k12ai_ws") if entry.name == "k12cv")
    (driver,) = found.load().k12ai_drivers()
    assert driver.service_name == "k12cv"
    assert list(driver.tasks) == ["train", "evaluate", "predict"]
    assert type(k12ai_drivers()[0]) is type(driver)


@pytest.mark.parametrize("task", ["train", "evaluate", "predict"])
def test_the_trainer_understands_the_command_and_has_the_same_defaults(task: str, tmp_path: Path) -> None:
    spec = K12cvDriver().launch(job(task, tmp_path))
    assert list(spec.command[:4]) == ["python", "-m", "k12cv.trainer", task]
    assert tuple(spec.mounts) == ("output",)
    asked = parser().parse_args(list(spec.command[3:]))
    assert asked == parser().parse_args([task, "--output={output}"])
    for name, value in K12cvDriver.tasks[task]().model_dump().items():
        assert getattr(asked, name) == value, name


def test_every_parameter_reaches_the_trainer(tmp_path: Path) -> None:
    params = {
        "dataset": "school/stripes",
        "model": "cnn",
        "epochs": 3,
        "learning_rate": 1e-05,
        "batch_size": 7,
        "weight_decay": 0.5,
        "hidden": 9,
        "image_size": 16,
        "color": "rgb",
        "seed": 4,
        "resume": True,
        "augment": "a b.py",
        "device": "cuda",
        "threads": 2,
    }
    spec = K12cvDriver().launch(job("train", tmp_path, tmp_path, **params))
    asked = vars(parser().parse_args(list(spec.command[3:])))
    assert asked.pop("task") == "train"
    assert str(asked.pop("output")) == "{output}"
    assert str(asked.pop("datasets")) == "{datasets}"
    assert asked == params
    assert tuple(spec.mounts) == ("output", "datasets")
    assert spec.resources.gpus == 1
    files = K12cvDriver().launch(job("predict", tmp_path, tmp_path, files=["a.png", "b c.png"]))
    assert parser().parse_args(list(files.command[3:])).files == ["a.png", "b c.png"]


def test_a_missing_dataset_is_refused(tmp_path: Path, datasets: Path) -> None:
    (datasets / "notes.txt").write_text("no dataset")
    (datasets / "broken.zip").write_text("no archive")
    for root, name in [(None, "flowers"), (datasets, "flowers"), (datasets, "notes.txt"), (datasets, "broken.zip")]:
        found = refusal(job("train", tmp_path, root, dataset=name))
        assert (found.code, found.field) == (Code.DATASET_MISSING, "dataset")
        assert name in found.message


def test_a_link_out_of_the_datasets_root_is_refused(tmp_path: Path, datasets: Path) -> None:
    (tmp_path / "secret").mkdir()
    (datasets / "out").symlink_to(tmp_path / "secret")
    (datasets / "loop").symlink_to(datasets / "loop")
    assert "leaves the datasets root" in refusal(job("train", tmp_path, datasets, dataset="out")).message
    assert refusal(job("train", tmp_path, datasets, dataset="loop")).code == Code.DATASET_MISSING


def test_a_good_dataset_and_the_bundled_one_pass(tmp_path: Path, datasets: Path) -> None:
    (datasets / "flowers").mkdir()
    K12cvDriver().check(job("train", tmp_path, datasets, dataset="flowers"))
    K12cvDriver().check(job("train", tmp_path))


def test_without_a_model_nothing_is_evaluated_predicted_or_resumed(tmp_path: Path) -> None:
    assert refusal(job("evaluate", tmp_path)).code == Code.MODEL_MISSING
    assert refusal(job("predict", tmp_path)).code == Code.MODEL_MISSING
    resumed = refusal(job("train", tmp_path, resume=True))
    assert (resumed.code, resumed.field) == (Code.MODEL_MISSING, "resume")


@pytest.mark.parametrize(
    "card", ["{}", "[]", "null", "rubbish", '{"format": 9}', '{"format": 1, "model": 3}', "9" * 9999]
)
def test_a_broken_model_is_refused(tmp_path: Path, card: str) -> None:
    write_model(tmp_path, card)
    assert refusal(job("evaluate", tmp_path)).code == Code.MODEL_BROKEN
    (tmp_path / MODEL_FILE).write_bytes(b"rubbish")
    assert refusal(job("predict", tmp_path)).code == Code.MODEL_BROKEN


@pytest.mark.parametrize("wrong", [{"model": "cnn"}, {"image_size": 32}, {"hidden": 64}, {"color": "rgb"}])
def test_a_model_of_another_architecture_is_not_resumed(tmp_path: Path, wrong: dict[str, Any]) -> None:
    write_model(tmp_path, CARD.to_json())
    found = refusal(job("train", tmp_path, resume=True, **wrong))
    assert (found.code, found.field) == (Code.PARAMS_INVALID, next(iter(wrong)))
    K12cvDriver().check(job("train", tmp_path, resume=True))


def test_missing_files_are_refused(tmp_path: Path, datasets: Path) -> None:
    write_model(tmp_path, CARD.to_json())
    (datasets / "here.png").write_bytes(b"")
    found = refusal(job("predict", tmp_path, datasets, files=["here.png", "gone.png"]))
    assert (found.code, found.field) == (Code.PREDICT_FILE_MISSING, "files")
    assert "gone.png" in found.message
    K12cvDriver().check(job("predict", tmp_path, datasets, files=["here.png"]))
    assert refusal(job("train", tmp_path, datasets, augment="gone.py")).code == Code.INPUT_FILE_MISSING


def test_a_broken_model_found_in_the_log_gets_its_code() -> None:
    fault = Fault(Code.UNKNOWN, detail={"exc_type": "k12cv.trainer.card.BrokenModelError"})
    assert K12cvDriver().classify(fault) == Code.MODEL_BROKEN
    assert K12cvDriver().classify(Fault(Code.VALUE_ERROR, detail={"exc_type": "ValueError"})) is None


def test_the_trainer_knows_nothing_of_the_server() -> None:
    code = (
        "import sys, k12cv.trainer.__main__, k12cv.trainer.train, k12cv.trainer.evaluate, k12cv.trainer.predict\n"
        "print([m for m in sys.modules if m.split('.')[0] in {'k12ai_ws', 'pydantic', 'torch'}])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "[]"
