"""The task `predict`: which class each image belongs to, and how sure the model is."""

from argparse import Namespace

from .artifacts import PREDICTIONS_FILE, load_model, save_metrics, save_predictions
from .data import SPLITS, load, load_files
from .images import Look
from .models import Training
from .report import metrics_line

SHOWN = 10
"""Predictions that are printed; the file has all."""
TOP = 3
"""Classes that a prediction names, the likeliest first."""


def predict(options: Namespace) -> None:
    """Writes `predictions.jsonl`, prints the first few, and the accuracy over those whose true class is known."""
    card, model = load_model(options.output, Training(device=options.device))
    look = Look(card.image_size, card.color)
    if options.files:
        data = load_files(options.files, options.datasets, look)
    else:
        splits = SPLITS if options.split == "all" else (options.split,)
        data = load(options.dataset or card.dataset, options.datasets, look, splits, known=card.classes)
    rows = []
    known = hits = 0
    for key, true, likely in zip(data.keys, data.names, model.predict(data.images, options.batch_size), strict=True):
        top = [
            {"label": card.classes[i], "probability": round(float(likely[i]), 6)}
            for i in likely.argsort(kind="stable")[::-1][:TOP]
        ]
        row = {"image": key, **top[0], "top": top}
        if true in card.classes:
            row["true_label"] = true
            known += 1
            hits += true == top[0]["label"]
        rows.append(row)
    save_predictions(options.output, rows)
    for row in rows[:SHOWN]:
        true = f"   (truly {row['true_label']})" if "true_label" in row else ""
        print(f"  {row['image']}   {row['label']}   {row['probability']:.4f}{true}")
    print(f"{len(rows)} predictions by {card.model} of epoch {card.epoch} are in {PREDICTIONS_FILE}")
    summary = {"images": len(rows)} | ({"accuracy": hits / known} if known else {})
    save_metrics(options.output, "predict", {"model": card.model, "epoch": card.epoch, "dataset": data.name, **summary})
    print(metrics_line(summary))
