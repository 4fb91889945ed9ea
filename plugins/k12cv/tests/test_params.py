from typing import Any

import jsonschema
import pytest
from k12cv.params import EvaluateParams, PredictParams, TrainParams
from pydantic import BaseModel, ValidationError

MODELS = [TrainParams, EvaluateParams, PredictParams]
GOOD = ["digits", "flowers", "school/flowers.zip", "学校/花", "a b/c+d (2).zip", "x.y/z..w", "_private"]
HOSTILE = [
    "",
    " ",
    "/etc/passwd",
    "..",
    "a/../../etc",
    "a/..",
    "./a",
    "a//b",
    "a/",
    ".hidden",
    "a/.git/config",
    "a\\b",
    "C:/windows",
    "~/a",
    "-rf",
    "a/-x",
    "{output}",
    "{datasets}/x",
    "a\nb",
    "a\n",
    "a\0b",
    "a\x1b[2J",
    "a\u202egnp.exe",
    "a\u200bb",
    "$(id)",
    "`id`",
    "a|b",
    "x" * 201,
]


@pytest.mark.parametrize("model", MODELS)
def test_everything_has_a_default_title_description_and_draws_a_form(model: type[BaseModel]) -> None:
    model.model_validate({})
    schema = model.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["description"]
    for name, field in schema["properties"].items():
        assert field["description"], name
        assert field["title"], name
        assert "default" in field or name == "files", name


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name: str) -> None:
    assert TrainParams(dataset=name).dataset == name
    assert PredictParams(files=[name]).files == [name]
    assert TrainParams(augment=f"{name}.py").augment == f"{name}.py"


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("model", MODELS)
def test_hostile_dataset_names_are_refused(model: type[BaseModel], name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate({"dataset": name})
    assert caught.value.errors()[0]["loc"] == ("dataset",)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_names_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        PredictParams(files=[name])
    with pytest.raises(ValidationError):
        TrainParams(augment=f"{name}.py" if name.strip(" ") and name[0] not in " " and len(name) > 1 else name)


@pytest.mark.parametrize("name", ["shift", "shift.pyc", "shift.py/x", "shift.py\n", ".py", "../shift.py"])
def test_augment_must_be_a_python_file(name: str) -> None:
    with pytest.raises(ValidationError):
        TrainParams(augment=name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epochs": 1001},
        {"epochs": "5"},
        {"epochs": 1.5},
        {"epochs": True},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"learning_rate": "0.1"},
        {"model": "resnet"},
        {"model": None},
        {"batch_size": 0},
        {"image_size": 4096},
        {"image_size": 7},
        {"seed": -1},
        {"resume": "yes"},
        {"resume": 1},
        {"color": "cmyk"},
        {"device": "cuda:0; rm"},
        {"dataset": ["digits"]},
        {"unknown": 1},
    ],
)
def test_wrong_values_are_refused_with_the_field_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        TrainParams.model_validate(wrong)
    assert caught.value.errors()[0]["loc"] == tuple(wrong)


def test_too_many_files_are_refused() -> None:
    with pytest.raises(ValidationError):
        PredictParams(files=["a.png"] * 201)
