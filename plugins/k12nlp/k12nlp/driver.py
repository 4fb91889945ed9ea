"""The service `k12nlp`, as the server sees it: what each task takes, what to run for it, and when to refuse."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from k12ai_ws.drivers import Code, Driver, Fault, Job, LaunchSpec, LogParser, Refused, hookimpl

from .params import EvaluateParams, PredictParams, TrainParams, encode_texts
from .trainer.card import MODEL_FILE, BrokenModelError, Card, MissingModelError, read_card
from .trainer.paths import BUNDLED, below

IMAGE = "k12ai/k12nlp:latest"
"""The container image with this package, and PyTorch, inside."""

_CODES = {
    BrokenModelError.__name__: Code.MODEL_BROKEN,
    MissingModelError.__name__: Code.MODEL_MISSING,
    FloatingPointError.__name__: Code.LOSS_NOT_FINITE,
}


class K12nlpDriver(Driver):
    """Text classification: train a model, evaluate it, predict with it."""

    service_name: ClassVar[str] = "k12nlp"
    description: ClassVar[str] = "Text classification: linear and transformer, on school subjects or on your own files"
    tasks: ClassVar[Mapping[str, type[BaseModel]]] = {
        "train": TrainParams,
        "evaluate": EvaluateParams,
        "predict": PredictParams,
    }

    def check(self, job: Job) -> None:
        """Refuses a job whose data or model are not there. Looks at names and the model's card, never at the data."""
        params = job.params
        if isinstance(params, TrainParams):
            _require_file(job, params.dataset, Code.DATASET_MISSING, "dataset")
            if params.resume:
                _require_kind(_require_model(job, "resume"), params)
            return
        card = _require_model(job, None)
        if isinstance(params, PredictParams) and params.file is not None:
            _require_file(job, params.file, Code.PREDICT_FILE_MISSING, "file")
        elif not (isinstance(params, PredictParams) and params.texts):
            _require_file(job, params.dataset or card.dataset, Code.DATASET_MISSING, "dataset")

    def launch(self, job: Job) -> LaunchSpec:
        """The trainer's command line. Values are joined to their option, so that none can pass for another option."""
        command = ["python", "-m", "k12nlp.trainer", job.task, "--output={output}"]
        if job.datasets is not None:
            command.append("--datasets={datasets}")
        for name, value in job.params.model_dump(exclude_none=True).items():
            option = f"--{name.replace('_', '-')}"
            match value:
                case bool():
                    command += [option] if value else []
                case list():
                    command += [f"{option}={encode_texts(value)}"] if value else []
                case _:
                    command.append(f"{option}={value}")
        env = {
            "PYTHONUNBUFFERED": "1",  # a line is seen when it is printed
            "PYTHONUTF8": "1",  # texts and labels may be in any script, whatever the locale
            "OMP_NUM_THREADS": "1",  # models this small only lose time on more
        }
        mounts = ("output",) if job.datasets is None else ("output", "datasets")
        return LaunchSpec(command=command, image=IMAGE, env=env, mounts=mounts)

    def parsers(self, job: Job) -> Sequence[LogParser | str]:
        """The trainer prints `name=value` lines and a progress bar; any framework's parser reads them."""
        return ["auto"]

    def classify(self, fault: Fault) -> int | None:
        """Tells a broken or missing model from other wrong values and missing files."""
        return _CODES.get(str(fault.detail.get("exc_type", "")).rpartition(".")[2])


def _require_file(job: Job, name: str, code: Code, field: str) -> Path | None:
    if name == BUNDLED:
        return None
    try:
        return below(job.datasets, name)
    except OSError as error:
        raise Refused(code, str(error), field=field) from error


def _require_model(job: Job, field: str | None) -> Card:
    try:
        return read_card(job.output / MODEL_FILE)
    except MissingModelError as error:
        message = f"no model: train one first as user {job.user!r} with service_uuid {job.service_uuid!r}"
        raise Refused(Code.MODEL_MISSING, message, field=field) from error
    except BrokenModelError as error:
        message = "the trained model's file is broken: train again without resume"
        raise Refused(Code.MODEL_BROKEN, message, field=field) from error


def _require_kind(card: Card, params: TrainParams) -> None:
    """Refuses to resume a model of another kind; whether the classes fit, only the trainer can tell."""
    if card.model != params.model:
        message = f"the model to resume is a {card.model!r}, not a {params.model!r}: ask for that, or train anew"
        raise Refused(Code.PARAMS_INVALID, message, field="model")


@hookimpl
def k12ai_drivers() -> list[Driver]:
    """The drivers of this plugin."""
    return [K12nlpDriver()]
