"""The parameters: what a form can be drawn from, and what is refused."""

import json

import pytest
from k12nlp.params import MAX_TEXTS, EvaluateParams, PredictParams, TrainParams, encode_texts
from pydantic import ValidationError

HOSTILE = [
    "/etc/passwd.csv",
    "../secret.csv",
    "a/../b.csv",
    "a/./b.csv",
    "a\\b.csv",
    ".hidden.csv",
    "a/.hidden.csv",
    "-rf.csv",
    "C:/x.csv",
    "a//b.csv",
    "a/b.csv/",
    "{output}/model.csv",
    "x.csv\n",
    "x\n.csv",
    "x\x00.csv",
    "x\u202evsc.csv",
    "x.parquet",
    "x.csv.exe",
    ".csv",
    "",
    "a" * 200 + ".csv",
    "$HOME.csv",
]


@pytest.mark.parametrize("model", [TrainParams, EvaluateParams, PredictParams])
def test_nothing_need_be_given(model):
    params = model.model_validate({})
    assert params.dataset == ("subjects" if model is TrainParams else None)


def test_what_a_prediction_is_shown_with_is_taken():
    """Of each field's own example, all at one time would be three sources."""
    for example in PredictParams.model_json_schema()["examples"]:
        PredictParams.model_validate(example)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(name):
    for model in (TrainParams, EvaluateParams, PredictParams):
        with pytest.raises(ValidationError) as caught:
            model.model_validate({"dataset": name})
        assert caught.value.errors()[0]["loc"] == ("dataset",)
    with pytest.raises(ValidationError):
        PredictParams.model_validate({"file": name})


@pytest.mark.parametrize("name", ["a.csv", "school/2024/reviews.jsonl", "学校/题目 1.csv", "a..b.csv"])
def test_ordinary_names_are_taken(name):
    assert TrainParams.model_validate({"dataset": name}).dataset == name
    assert PredictParams.model_validate({"file": name}).file == name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", 1001),
        ("epochs", "5"),
        ("epochs", True),
        ("epochs", 2.5),
        ("batch_size", 0),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("seed", -1),
        ("resume", "yes"),
        ("model", "bert"),
        ("text_field", "{output}"),
        ("label_field", ""),
        ("epoch", 3),
    ],
)
def test_values_out_of_bounds_are_refused_with_their_field(field, value):
    with pytest.raises(ValidationError) as caught:
        TrainParams.model_validate({field: value})
    assert caught.value.errors()[0]["loc"] == (field,)


@pytest.mark.parametrize("model", [TrainParams, EvaluateParams, PredictParams])
def test_a_form_can_be_drawn_from_the_schema(model):
    schema = model.model_json_schema()
    assert schema["additionalProperties"] is False
    assert "required" not in schema
    for field in schema["properties"].values():
        assert field["title"]
        assert len(field["description"]) > 15
        assert "default" in field or field.get("type") == "array"
    json.dumps(schema)


def test_texts_are_bounded_in_number_length_and_sum():
    PredictParams.model_validate({"texts": ["x"] * MAX_TEXTS})
    for texts in (["x"] * (MAX_TEXTS + 1), ["x" * 4097], [""], ["光" * 4000] * 6, ["\x01" * 4000] * 3, "abc"):
        with pytest.raises(ValidationError):
            PredictParams.model_validate({"texts": texts})


def test_texts_file_and_dataset_exclude_each_other():
    for both in ({"texts": ["x"], "file": "a.csv"}, {"texts": ["x"], "dataset": "subjects"}):
        with pytest.raises(ValidationError, match="give one of"):
            PredictParams.model_validate(both)


def test_encoded_texts_hold_no_path_token_and_read_back_the_same():
    texts = ["{output}/x", "a\x00b", '"quoted" \\ {', "光合作用"]
    encoded = encode_texts(texts)
    assert not {"{", "}", "\x00"} & set(encoded)
    assert json.loads(encoded) == texts
