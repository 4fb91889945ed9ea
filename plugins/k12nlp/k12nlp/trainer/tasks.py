"""The three things this program does."""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import artifacts, data, scores
from .card import MODEL_FILE, Card
from .classifier import Classifier, Numbers, kind
from .data import Example
from .paths import below, find
from .progress import Bar

MAX_TEXTS = 256


def train(options: Namespace) -> None:
    """Trains a model, saves it after every epoch, and tests it on texts that it has never seen."""
    examples = data.read(
        find(options.datasets, options.dataset), options.dataset, options.text_field, options.label_field
    )
    classes = data.class_names(examples, options.dataset)
    splits = {split: data.select(examples, split) for split in data.SPLITS}
    for split, part in splits.items():
        if not part:
            raise ValueError(
                f"{options.dataset}: {len(examples)} texts leave none for the split {split!r}; give some dozens"
            )
    print(
        f"Loaded {len(examples)} texts in {len(classes)} classes from {options.dataset}: "
        f"{len(splits['train'])} to train, {len(splits['val'])} to validate, {len(splits['test'])} to test",
        flush=True,
    )
    texts = {split: [example.text for example in part] for split, part in splits.items()}
    truths = {split: _numbers(part, classes, options.dataset) for split, part in splits.items()}
    chosen = kind(options.model)
    done = 0
    if options.resume:
        before, model = artifacts.load_model(options.output)
        _require_same(before, options.model, classes)
        done = before.epoch
        print(f"Resuming the {before.model} model after epoch {done}", flush=True)
    else:
        model = chosen.create(texts["train"], len(classes), options.seed)
    rate = options.learning_rate or chosen.learning_rate
    rows = {split: model.encode(part) for split, part in texts.items()}
    count = len(texts["train"])
    bar = Bar(-(-count // options.batch_size) * options.epochs, sys.stderr)
    history = []
    for epoch in range(done + 1, done + options.epochs + 1):
        # Every epoch has its own random numbers, so that a training in two parts is the same as one in one.
        seed = int(np.random.SeedSequence([options.seed, epoch]).generate_state(1)[0])
        order = np.random.default_rng(seed).permutation(count)
        learned = model.fit(
            rows["train"], truths["train"], order=order, batch=options.batch_size, rate=rate, seed=seed, step=bar.step
        )
        seen = scores.guess(model, rows["val"], truths["val"])
        line = {
            "epoch": epoch,
            "loss": learned.loss,
            "accuracy": learned.accuracy,
            "val_loss": scores.loss(seen),
            "val_accuracy": scores.accuracy(seen, truths["val"]),
        }
        bar.end_line()
        _report(line)
        if not np.isfinite(list(line.values())).all():
            raise FloatingPointError(f"the loss is not finite in epoch {epoch}: lower the learning rate (now {rate:g})")
        history.append(line)
        card = Card(
            model=options.model,
            classes=classes,
            train_counts=tuple(np.bincount(truths["train"], minlength=len(classes)).tolist()),
            epoch=epoch,
            dataset=options.dataset,
            text_field=options.text_field,
            label_field=options.label_field,
            settings=model.settings(),
        )
        artifacts.save_model(options.output, card, model)
    measured = _measure(options.output, card, model, rows["test"], truths["test"])
    _report(
        {f"test_{name}": value for name, value in measured.items() if name != "majority_baseline"}
        | {"majority_baseline": measured["majority_baseline"]}
    )
    about = {"dataset": options.dataset, "model": options.model, "seed": options.seed, "learning_rate": rate}
    artifacts.update_metrics(options.output, "train", about | {"history": history, "test": measured})
    print(f"Saved the model to {options.output / MODEL_FILE}", flush=True)


def evaluate(options: Namespace) -> None:
    """Measures the trained model on one split of a dataset."""
    card, model = artifacts.load_model(options.output)
    name, examples = _labelled(options, card)
    print(f"Evaluating the {card.model} model of epoch {card.epoch} on {len(examples)} texts of {name}", flush=True)
    rows = model.encode([example.text for example in examples])
    measured = _measure(options.output, card, model, rows, _numbers(examples, card.classes, name))
    _report(measured)
    artifacts.update_metrics(options.output, "evaluate", {"dataset": name, "split": options.split, **measured})


def predict(options: Namespace) -> None:
    """Labels the given texts, the texts of a file, or else one split of a dataset."""
    card, model = artifacts.load_model(options.output)
    examples = _to_predict(options, card)
    guesses = scores.guess(model, model.encode([example.text for example in examples]))
    labels = [card.classes[number] for number in guesses.label]
    lines: list[dict[str, Any]] = []
    for example, label, share in zip(examples, labels, guesses.probability.tolist(), strict=True):
        line = {"text": example.text, "label": label, "probability": round(share, 6)}
        lines.append(line if example.label is None else line | {"truth": example.label})
    artifacts.write_predictions(options.output, lines)
    measured: dict[str, Any] = {"texts": len(lines), "mean_probability": float(guesses.probability.mean())}
    known = [line for line in lines if "truth" in line]
    if known:
        measured["accuracy"] = sum(line["label"] == line["truth"] for line in known) / len(known)
        majority = card.classes[card.majority]
        measured["majority_baseline"] = sum(line["truth"] == majority for line in known) / len(known)
    _report(measured)
    artifacts.update_metrics(options.output, "predict", measured)
    print(f"Wrote the predictions to {options.output / artifacts.PREDICTIONS_FILE}", flush=True)


def _to_predict(options: Namespace, card: Card) -> list[Example]:
    if options.text or options.texts is not None:
        texts = [*options.text, *_texts(options.texts)]
        if not 1 <= len(texts) <= MAX_TEXTS:
            raise ValueError(f"{len(texts)} texts given; 1 to {MAX_TEXTS} are taken. Put more in a file")
        return [Example(text, None) for text in texts]
    if options.file is not None:
        path = below(options.datasets, options.file)
        text_field, label_field = options.text_field or card.text_field, options.label_field or card.label_field
        return data.read(path, options.file, text_field, label_field, labelled=False)
    return _labelled(options, card)[1]


def _texts(argument: str | None) -> list[str]:
    found = [] if argument is None else json.loads(argument)
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError('--texts is not a JSON array of texts, such as ["Why is the sky blue?"]')
    return found


def _labelled(options: Namespace, card: Card) -> tuple[str, list[Example]]:
    """The name and the chosen split of the dataset asked for, or else of the one that the model was trained on."""
    name = options.dataset or card.dataset
    text_field, label_field = options.text_field or card.text_field, options.label_field or card.label_field
    if options.dataset not in {None, card.dataset}:
        text_field, label_field = options.text_field or "text", options.label_field or "label"
    examples = data.select(data.read(find(options.datasets, name), name, text_field, label_field), options.split)
    if not examples:
        raise ValueError(f"{name}: none of its texts falls into the split {options.split!r}; ask for 'all'")
    return name, examples


def _numbers(examples: Sequence[Example], classes: Sequence[str], name: str) -> Numbers:
    number = {label: at for at, label in enumerate(classes)}
    strange = sorted({str(example.label) for example in examples} - number.keys())
    if strange:
        raise ValueError(f"{name}: labels that the model does not know: {strange[:5]}; it knows {list(classes)[:20]}")
    return np.array([number[str(example.label)] for example in examples], np.int64)


def _require_same(card: Card, model: str, classes: tuple[str, ...]) -> None:
    if card.model != model:
        raise ValueError(f"cannot resume: the model is a {card.model!r}, not a {model!r}; ask for that, or train anew")
    if card.classes != classes:
        extra, gone = sorted(set(classes) - set(card.classes)), sorted(set(card.classes) - set(classes))
        raise ValueError(
            f"cannot resume: the dataset's classes are not the model's (new: {extra[:5]}, gone: {gone[:5]}); train anew"
        )


def _measure(output: Path, card: Card, model: Classifier, rows: Any, truths: Numbers) -> dict[str, Any]:
    """The figures of these texts, beside what always saying training's commonest class would get; writes the matrix."""
    guesses = scores.guess(model, rows, truths)
    matrix = scores.confusion(guesses, truths, len(card.classes))
    artifacts.write_confusion(output, card.classes, matrix)
    return {
        "accuracy": scores.accuracy(guesses, truths),
        "majority_baseline": float((truths == card.majority).mean()),
        "macro_f1": scores.macro_f1(matrix),
        "loss": scores.loss(guesses),
        "texts": len(truths),
    }


def _report(line: dict[str, Any]) -> None:
    """Prints `name=value` pairs: whole numbers as they are, others to four digits."""
    print(
        " ".join(f"{name}={value if isinstance(value, int) else f'{value:.4f}'}" for name, value in line.items()),
        flush=True,
    )
