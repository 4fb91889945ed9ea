"""The service `k12cv`, as the server sees it: what each task takes, what to run for it, and when to refuse."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from k12ai_ws.drivers import Code, Driver, Fault, Job, LaunchSpec, LogParser, Refused, Resources, hookimpl

from .params import BUNDLED, EvaluateParams, PredictParams, TrainParams
from .trainer.card import MODEL_FILE, BrokenModelError, Card, read_card

IMAGE = "k12ai/k12cv:latest"
"""The container image with this package, and PyTorch, inside."""


class K12cvDriver(Driver):
    """Image classification: train a model, evaluate it, predict with it."""

    service_name: ClassVar[str] = "k12cv"
    description: ClassVar[str] = "Image classification: softmax, mlp and cnn, on digits or on folders of images"
    tasks: ClassVar[Mapping[str, type[BaseModel]]] = {
        "train": TrainParams,
        "evaluate": EvaluateParams,
        "predict": PredictParams,
    }

    def check(self, job: Job) -> None:
        """Refuses a job whose dataset, files or model are not there. Looks at names and cards, never at the data."""
        params = job.params
        trained = None if isinstance(params, TrainParams) else _require_model(job, None)
        if isinstance(params, PredictParams) and params.files:
            for name in params.files:
                _require_file(job, name, Code.PREDICT_FILE_MISSING, "files")
        else:
            dataset = params.dataset or (trained.dataset if trained else BUNDLED)
            if dataset != BUNDLED:
                _require_dataset(job, dataset)
        if isinstance(params, TrainParams):
            if params.augment is not None:
                _require_file(job, params.augment, Code.INPUT_FILE_MISSING, "augment")
            if params.resume:
                _require_match(_require_model(job, "resume"), params)

    def launch(self, job: Job) -> LaunchSpec:
        """The trainer's command line. Values are joined to their option, so that none can pass for another option."""
        command = ["python", "-m", "k12cv.trainer", job.task, "--output={output}"]
        if job.datasets is not None:
            command.append("--datasets={datasets}")
        for name, value in job.params.model_dump(exclude_none=True).items():
            option = f"--{name.replace('_', '-')}"
            match value:
                case bool():
                    command += [option] if value else []
                case list():
                    command += [f"{option}={item}" for item in value]
                case _:
                    command.append(f"{option}={value}")
        env = {
            "PYTHONUNBUFFERED": "1",  # a line is seen when it is printed
            "PYTHONUTF8": "1",  # class names may be in any script, whatever the locale
            "OMP_NUM_THREADS": "1",  # layers this small lose time on more; `threads` overrules it where it matters
            "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin while they wait stall each other on a busy machine
        }
        gpu = job.params.device == "cuda" and getattr(job.params, "model", "cnn") == "cnn"
        return LaunchSpec(
            command=command,
            image=IMAGE,
            env=env,
            mounts=("output",) if job.datasets is None else ("output", "datasets"),
            resources=Resources(gpus=int(gpu)),
        )

    def parsers(self, job: Job) -> Sequence[LogParser | str]:
        """The trainer prints `name=value` lines and a progress bar; any framework's parser reads them."""
        return ["auto"]

    def classify(self, fault: Fault) -> int | None:
        """Tells a broken model file from other wrong values."""
        name = str(fault.detail.get("exc_type", "")).rpartition(".")[2]
        return Code.MODEL_BROKEN if name == BrokenModelError.__name__ else None


def _inside(job: Job, name: str, code: Code, field: str) -> Path:
    """The path of `name` below the datasets root. Raises Refused where it does not exist or lies outside."""
    if job.datasets is None:
        raise Refused(
            code, f"{name!r} is not there: this server has no datasets root; only {BUNDLED!r} is bundled", field=field
        )
    root = job.datasets.resolve()
    try:
        path = (root / name).resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise Refused(
            code, f"{name!r} is not there: no such file or folder below the datasets root", field=field
        ) from error
    if not path.is_relative_to(root):
        raise Refused(code, f"{name!r} is refused: it is a link that leaves the datasets root", field=field)
    return path


def _require_file(job: Job, name: str, code: Code, field: str) -> None:
    if not _inside(job, name, code, field).is_file():
        raise Refused(code, f"{name!r} is not a file", field=field)


def _require_dataset(job: Job, name: str) -> None:
    path = _inside(job, name, Code.DATASET_MISSING, "dataset")
    if not path.is_dir() and not (path.suffix.lower() == ".zip" and zipfile.is_zipfile(path)):
        raise Refused(
            Code.DATASET_MISSING, f"{name!r} is no dataset: a folder or a .zip archive is needed", field="dataset"
        )


def _require_model(job: Job, field: str | None) -> Card:
    try:
        return read_card(job.output / MODEL_FILE)
    except FileNotFoundError as error:
        message = f"no model: train one first as user {job.user!r} with service_uuid {job.service_uuid!r}"
        raise Refused(Code.MODEL_MISSING, message, field=field) from error
    except BrokenModelError as error:
        message = "the trained model's file is broken: train again without resume"
        raise Refused(Code.MODEL_BROKEN, message, field=field) from error


def _require_match(card: Card, params: TrainParams) -> None:
    """Refuses to resume a model of another architecture; whether the classes fit, only the trainer can tell."""
    asked = {"model": params.model, "image_size": params.image_size, "color": params.color}
    if card.model != "softmax":
        asked["hidden"] = params.hidden
    for name, value in asked.items():
        if value is not None and value != getattr(card, name):
            message = (
                f"the model to resume has {name} {getattr(card, name)!r}, not {value!r}: ask for that, or train anew"
            )
            raise Refused(Code.PARAMS_INVALID, message, field=name)


@hookimpl
def k12ai_drivers() -> list[Driver]:
    """The drivers of this plugin."""
    return [K12cvDriver()]
