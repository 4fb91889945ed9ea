"""spaCy: `python made_by.py > log.txt 2>&1` writes expected.json from what the training loop gives its logger."""

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spacy
from spacy import util
from spacy.cli.init_config import init_config
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loggers import console_logger
from spacy.training.loop import train

random.seed(0)
expected: list[dict[str, float]] = []


@util.registry.loggers("recorded.v1")
def recorded() -> Callable[..., Any]:
    def setup(nlp: Any, stdout: Any, stderr: Any) -> Any:
        columns = [name for name, weight in nlp.config["training"]["score_weights"].items() if weight is not None]
        log, close = console_logger()(nlp, stdout, stderr)

        def both(info: dict[str, Any] | None) -> None:
            log(info)
            if info is not None:
                losses = {f"LOSS {n.upper()}": float(f"{v:.2f}") for n, v in info["losses"].items()}
                scores = {n.upper(): float(f"{100 * (info['other_scores'].get(n) or 0):.2f}") for n in columns}
                where = {"epoch": info["epoch"], "step": info["step"]}
                expected.append({**where, **losses, **scores, "SCORE": float(f"{info['score']:.2f}")})

        return both, close

    return setup


folder = Path(tempfile.mkdtemp())
for part in ("train", "dev"):
    docs = DocBin()
    for _ in range(40):
        words = random.choice(["I like cats", "You hate dogs", "We see birds"]).split()
        doc = spacy.blank("en").make_doc(" ".join(words))
        for token, tag in zip(doc, random.choice([["PRON", "VERB", "NOUN"], ["PRON", "VERB", "X"]]), strict=True):
            token.tag_ = tag
        doc.cats = {"POS": float(words[1] == "like"), "NEG": float(words[1] != "like")}
        docs.add(doc)
    docs.to_disk(folder / f"{part}.spacy")
config = init_config(lang="en", pipeline=["tagger", "textcat"], optimize="efficiency", gpu=False)
config["paths"].update(train=str(folder / "train.spacy"), dev=str(folder / "dev.spacy"))
config["training"].update(max_steps=50, eval_frequency=10, logger={"@loggers": "recorded.v1"})
config["training"]["score_weights"] = {"tag_acc": 0.5, "cats_score": 0.5}
train(init_nlp(config), None)
Path(__file__).with_name("expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
