"""The driver: found by its entry point, what it refuses, and what it runs."""

import importlib.metadata
import json
import zipfile

import pytest
from k12nlp.driver import K12nlpDriver
from k12nlp.params import EvaluateParams, PredictParams, TrainParams
from k12nlp.trainer.__main__ import parser
from k12nlp.trainer.card import Card

from k12ai_ws.drivers import Code, Fault, Job, Refused

CARD = Card(
    model="linear",
    classes=("a", "b"),
    train_counts=(3, 2),
    epoch=1,
    dataset="subjects",
    text_field="text",
    label_field="label",
    settings={},
)


@pytest.fixture
def job(tmp_path):
    (tmp_path / "output").mkdir()
    (tmp_path / "datasets").mkdir()

    def make(task, params, datasets=True):
        return Job(
            job_id="j1",
            user="ann",
            service_uuid="p1",
            service_name="k12nlp",
            task=task,
            params=K12nlpDriver.tasks[task].model_validate(params),
            language="en",
            output=tmp_path / "output",
            datasets=tmp_path / "datasets" if datasets else None,
            pretrained=None,
        )

    return make


def save(output, card=CARD):
    with zipfile.ZipFile(output / "model.npz", "w") as archive:
        archive.writestr("card.json", card.to_json())


def refusal(job):
    with pytest.raises(Refused) as caught:
        K12nlpDriver().check(job)
    return caught.value.code, caught.value.field


def test_found_by_its_entry_point():
    (entry,) = importlib.metadata.entry_points(group="k12ai_ws", name="k12nlp")
    (driver,) = entry.load().k12ai_drivers()
    assert driver.service_name == "k12nlp"
    assert driver.tasks == {"train": TrainParams, "evaluate": EvaluateParams, "predict": PredictParams}
    assert driver.parsers(None) == ["auto"]


def test_what_is_missing_is_refused_before_anything_starts(job, tmp_path):
    assert refusal(job("train", {"dataset": "none.csv"})) == (Code.DATASET_MISSING, "dataset")
    assert refusal(job("train", {"dataset": "a.csv"}, datasets=False)) == (Code.DATASET_MISSING, "dataset")
    assert refusal(job("train", {"resume": True})) == (Code.MODEL_MISSING, "resume")
    assert refusal(job("evaluate", {})) == (Code.MODEL_MISSING, None)
    assert refusal(job("predict", {"texts": ["x"]})) == (Code.MODEL_MISSING, None)
    save(tmp_path / "output")
    assert refusal(job("evaluate", {"dataset": "none.csv"})) == (Code.DATASET_MISSING, "dataset")
    assert refusal(job("predict", {"file": "none.csv"})) == (Code.PREDICT_FILE_MISSING, "file")
    assert refusal(job("train", {"resume": True, "model": "transformer"})) == (Code.PARAMS_INVALID, "model")
    for task, params in [("train", {"resume": True}), ("evaluate", {}), ("predict", {}), ("predict", {"texts": ["x"]})]:
        K12nlpDriver().check(job(task, params))


def test_a_link_out_of_the_root_is_refused(job, tmp_path):
    (tmp_path / "secret.csv").write_text("text,label\n")
    (tmp_path / "datasets" / "a.csv").symlink_to(tmp_path / "secret.csv")
    assert refusal(job("train", {"dataset": "a.csv"})) == (Code.DATASET_MISSING, "dataset")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"rubbish",
        {},
        {"card.json": "{"},
        {"card.json": "[" * 100_000},
        {"card.json": "{}"},
        {"card.json": " " * 2_000_000},
    ],
)
def test_a_broken_model_is_refused(job, tmp_path, content):
    path = tmp_path / "output" / "model.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in content.items():
                archive.writestr(name, text)
    assert refusal(job("evaluate", {})) == (Code.MODEL_BROKEN, None)


@pytest.mark.parametrize("field", ["classes", "train_counts", "epoch", "dataset", "format", "settings"])
def test_a_card_with_a_field_of_the_wrong_type_is_broken(job, tmp_path, field):
    with zipfile.ZipFile(tmp_path / "output" / "model.npz", "w") as archive:
        archive.writestr("card.json", json.dumps(json.loads(CARD.to_json()) | {field: None}))
    assert refusal(job("evaluate", {})) == (Code.MODEL_BROKEN, None)


def test_command_is_what_the_trainer_takes(job):
    spec = K12nlpDriver().launch(job("train", {"dataset": "-x.csv"[1:], "epochs": 3, "resume": True, "seed": 7}))
    assert spec.command[:4] == ["python", "-m", "k12nlp.trainer", "train"]
    assert "--output={output}" in spec.command
    assert "--datasets={datasets}" in spec.command
    assert spec.image == "k12ai/k12nlp:latest"
    assert spec.mounts == ("output", "datasets")
    options = parser().parse_args(spec.command[3:])
    assert (options.dataset, options.epochs, options.resume, options.seed) == ("x.csv", 3, True, 7)
    assert (options.model, options.batch_size, options.learning_rate) == ("linear", 16, None)


def test_command_without_a_datasets_root_speaks_of_none(job):
    spec = K12nlpDriver().launch(job("evaluate", {}, datasets=False))
    assert not any("{datasets}" in word for word in spec.command)
    assert spec.mounts == ("output",)
    assert parser().parse_args(spec.command[3:]).dataset is None


def test_texts_reach_the_trainer_as_they_are(job):
    texts = ["--output=/tmp", "{output}", "光\x00 'x' \"y\"\n"]
    spec = K12nlpDriver().launch(job("predict", {"texts": texts}))
    assert sum("{output}" in word for word in spec.command) == 1
    assert json.loads(parser().parse_args(spec.command[3:]).texts) == texts


def test_errors_of_the_trainer_get_their_codes():
    def code(name):
        return K12nlpDriver().classify(Fault(code=Code.VALUE_ERROR, detail={"exc_type": name}))

    assert code("k12nlp.trainer.card.BrokenModelError") == Code.MODEL_BROKEN
    assert code("k12nlp.trainer.card.MissingModelError") == Code.MODEL_MISSING
    assert code("FloatingPointError") == Code.LOSS_NOT_FINITE
    assert code("ValueError") is None
