"""The task `train`: passes over the training images, watched on `val`, judged at the end on `test`."""

import math
from argparse import Namespace
from dataclasses import replace
from typing import Any

import numpy as np

from .artifacts import load_model, read_metrics, save_confusion, save_metrics, save_model
from .augment import load_augment
from .card import MODEL_FILE, Card, read_card
from .data import BUNDLED, ImageSet, load
from .evaluate import judge, majority_baseline
from .images import Look
from .models import Classifier, Training, create, score
from .report import Bar, metrics_line


def train(options: Namespace) -> None:
    """Trains, saving model and metrics after every epoch, so that a job stopped anywhere can be resumed."""
    image_size = options.image_size or _usual_size(options)
    look = Look(image_size, options.color)
    data = load(options.dataset, options.datasets, look)
    classes = data.classes()
    training = Training(
        options.learning_rate, options.weight_decay, options.batch_size, options.seed, options.device, options.threads
    )
    wanted = Card(options.model, classes, image_size, options.color, options.hidden, 0, options.dataset)
    parts = {split: data.part(split) for split in ("train", "val", "test")}
    if not len(parts["train"]):
        raise ValueError(
            f"dataset {data.name!r} is too small: none of its {len(data)} images falls into the training split"
        )
    card, model = _resumed(options, wanted, training) if options.resume else _fresh(wanted, training, parts["train"])
    print(
        f"loaded {len(data)} images of {len(classes)} classes from {data.name} ({len(parts['train'])} to train, "
        f"{len(parts['val'])} to validate, {len(parts['test'])} to test)"
    )
    history = _passes(options, card, model, parts, training)
    card = replace(card, epoch=history[-1]["epoch"])
    result: dict[str, Any] = {"model": card.model, "dataset": data.name, "classes": list(classes), "history": history}
    if len(parts["test"]):
        truth = parts["test"].labels(classes)
        test, matrix = judge(model.predict(parts["test"].images, options.batch_size), truth, classes)
        print(metrics_line({f"test_{name}": test[name] for name in ("loss", "accuracy", "macro_f1")}))
        result["test"] = {**test, "majority_baseline": majority_baseline(truth)}
        save_confusion(options.output, classes, matrix)
    else:
        print("no test images: the dataset is too small to say how good the model is")
    save_metrics(options.output, "train", result)
    print(f"saved {MODEL_FILE} after epoch {card.epoch}")


def _usual_size(options: Namespace) -> int:
    """The image size where none is asked for: the resumed model's, else the digits' own, else 32."""
    if options.resume:
        return read_card(options.output / MODEL_FILE).image_size
    return 8 if options.dataset == BUNDLED else 32


def _fresh(card: Card, training: Training, part: ImageSet) -> tuple[Card, Classifier]:
    model = create(card, training)
    model.fit_scale(part.images)
    return card, model


def _resumed(options: Namespace, wanted: Card, training: Training) -> tuple[Card, Classifier]:
    """The model to go on from. Raises ValueError where it is not the one that was asked for."""
    card, model = load_model(options.output, training)
    for name in ("model", "classes", "image_size", "color", "hidden"):
        there, asked = getattr(card, name), getattr(wanted, name)
        if there != asked and not (name == "hidden" and card.model == "softmax"):
            raise ValueError(f"cannot resume: the trained model has {name} {there!r}, this job asks for {asked!r}")
    print(f"resuming {card.model} after epoch {card.epoch}")
    return replace(card, dataset=wanted.dataset), model


def _passes(
    options: Namespace, card: Card, model: Classifier, parts: dict[str, ImageSet], training: Training
) -> list[dict[str, Any]]:
    """Trains `epochs` passes; returns each one's metrics, after those of the trainings that it goes on from."""
    images, labels = parts["train"].images, parts["train"].labels(card.classes)
    val_labels = parts["val"].labels(card.classes)
    augment = load_augment(options.datasets, options.augment, len(card.classes)) if options.augment else None
    last = card.epoch + options.epochs
    bar = Bar()
    history = _earlier(options, card.epoch)
    for epoch in range(card.epoch + 1, last + 1):
        seen, truth = images, labels
        if augment is not None:
            np.random.seed([training.seed, epoch])  # what user code most often draws from
            seen, truth = augment(images, labels)
        bar.start(f"Epoch {epoch}/{last}", (last - epoch + 1) * -(-len(seen) // training.batch_size))
        rate = annealed(training.learning_rate, epoch - card.epoch, options.epochs)
        loss, accuracy = model.train_epoch(seen, truth, epoch, rate, bar.step)
        bar.end()
        row: dict[str, Any] = {"epoch": epoch, "train_loss": loss, "train_accuracy": accuracy}
        if len(parts["val"]):
            watched = score(model.predict(parts["val"].images, options.batch_size), val_labels)
            row |= {"val_loss": watched[0], "val_accuracy": watched[1]}
        row["learning_rate"] = rate
        history.append(row)
        save_model(options.output, replace(card, epoch=epoch), model)
        save_metrics(options.output, "train", {"model": card.model, "dataset": card.dataset, "history": history})
        print(metrics_line(row), flush=True)
    return history


def annealed(peak: float, epoch: int, epochs: int) -> float:
    """The learning rate of `epoch` (from 1) of `epochs`: from `peak` down half a cosine, so that the last weights
    settle (Loshchilov and Hutter, "SGDR", 2017). A resumed training starts high again.
    """
    return peak * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2


def _earlier(options: Namespace, epoch: int) -> list[dict[str, Any]]:
    """The metrics of the epochs that led to the model to resume, where they are known without a gap."""
    done = read_metrics(options.output).get("train")
    rows = done.get("history") if isinstance(done, dict) and epoch else None
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return rows if [row.get("epoch") for row in rows] == list(range(1, epoch + 1)) else []
