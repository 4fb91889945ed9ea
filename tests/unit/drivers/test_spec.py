"""The launch spec refuses what no launcher could run."""

import pytest
from pydantic import ValidationError

from k12ai_ws.drivers import LaunchSpec, Params, Resources
from k12ai_ws.drivers.driver import Driver, Refused


@pytest.mark.parametrize(
    "wrong",
    [{"command": []}, {"command": None}, {"command": [1]}, {"command": ["x"], "mounts": ["etc"]},
     {"command": ["x"], "env": {"A": 1}}, {"command": ["x"], "volumes": {}}, {}],
)  # fmt: skip
def test_wrong_specs_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        LaunchSpec(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"cpus": 0}, {"cpus": -1}, {"memory": 0}, {"gpus": -1}, {"time_limit_s": 0}, {"x": 1}]
)
def test_wrong_resources_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        Resources(**wrong)


def test_a_limit_is_a_number() -> None:
    for name in ("time_limit_s", "cpus"):
        with pytest.raises(ValidationError):
            Resources(**{name: float("nan")})


def test_params_refuse_unknown_fields_and_infinities() -> None:
    class P(Params):
        rate: float = 0.1

    for wrong in ({"x": 1}, {"rate": float("nan")}, {"rate": float("inf")}):
        with pytest.raises(ValidationError):
            P(**wrong)
    with pytest.raises(ValidationError):
        P().rate = 1  # type: ignore[misc]


def test_the_default_driver() -> None:
    class D(Driver):
        pass

    assert D().parsers(None) == ["auto"]  # type: ignore[arg-type]
    assert D().classify(None) is None  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError):
        D().launch(None)  # type: ignore[arg-type]


def test_a_refusal_has_a_number_a_text_and_perhaps_a_field() -> None:
    refused = Refused(100212, "no dataset", field="dataset")
    assert (refused.code, refused.message, refused.field, str(refused)) == (
        100212,
        "no dataset",
        "dataset",
        "no dataset",
    )
