"""The `service_params` of each task, as models: their JSON Schema is served, and draws the web form.

Values are not coerced: `"5"` is no number of epochs. Files are forward-slash paths below the datasets root. The
patterns refuse whatever could mean another place (absolute, `..`, backslash, drive), hidden names, a leading `-` (an
option), braces (a launcher's path tokens), and control or bidirectional characters, which would let a name lie in a
log. Links are the business of `check` and the trainer, for they see the files.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from k12ai_ws.drivers import Params

MAX_TEXTS = 256
MAX_TEXT_CHARS = 4096
MAX_TEXTS_BYTES = 64 << 10
"""The texts travel as one argument of a command line; Linux takes at most 128 KiB in one."""

_INVISIBLE = r"\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_OUTLAWED = _INVISIBLE + r"/\\:*?\"<>|{}$~`"
_PART = rf"[^{_OUTLAWED}.\s-][^{_OUTLAWED}]*"
_FILE = rf"(?:{_PART}/)*{_PART}\.(?:csv|jsonl)"

DataFile = Annotated[str, Field(min_length=5, max_length=200, pattern=rf"^{_FILE}$")]
"""A `.csv` or `.jsonl` file, as a forward-slash path below the datasets root."""

_DATASET = Field(min_length=1, max_length=200, pattern=rf"^(?:subjects|{_FILE})$")
_FIELD = Field(min_length=1, max_length=64, pattern=rf"^[^{_INVISIBLE}{{}}]+$")

_DATASET_TEXT = (
    "`subjects` (bundled: 720 school questions in English and Chinese, in six subjects), or a .csv or .jsonl file "
    "below the datasets root, such as `school/reviews.csv`: UTF-8, at most 32 MiB and 200 classes"
)
_EMPTY = "Empty: as the model was trained, or for another dataset "

Split = Annotated[
    Literal["test", "val", "train", "all"],
    Field(
        title="Split",
        description=(
            "Which texts of the dataset: `test` (20 %) was never seen in training, `val` (10 %) only watched it. The "
            "split is fixed: it depends on the text alone"
        ),
    ),
]


class Strict(Params):
    """Base of this service's parameters: no coercion between types."""

    model_config = ConfigDict(strict=True)


class TrainParams(Strict):
    """Train a classifier, and test it on texts that it has never seen."""

    dataset: Annotated[
        str,
        _DATASET,
        Field(title="Dataset", description=_DATASET_TEXT, examples=["subjects", "school/reviews.csv"]),
    ] = "subjects"
    text_field: Annotated[
        str, _FIELD, Field(title="Text field", description="The column (CSV) or key (JSONL) that holds the text")
    ] = "text"
    label_field: Annotated[
        str, _FIELD, Field(title="Label field", description="The column (CSV) or key (JSONL) that holds the class")
    ] = "label"
    model: Annotated[
        Literal["linear", "transformer"],
        Field(
            title="Model",
            description=(
                "`linear`: logistic regression on words and character n-grams; `transformer`: a small network on "
                "characters (needs PyTorch)"
            ),
        ),
    ] = "linear"
    epochs: Annotated[
        int, Field(title="Epochs", description="Passes over the training texts, in this job", ge=1, le=1000)
    ] = 20
    batch_size: Annotated[int, Field(title="Batch size", description="Texts per step of training", ge=1, le=1024)] = 16
    learning_rate: Annotated[
        float | None,
        Field(
            title="Learning rate",
            description="Step size. Empty: the model's own, 5 for `linear` and 0.001 for `transformer`",
            gt=0,
            le=10,
        ),
    ] = None
    seed: Annotated[
        int,
        Field(
            title="Seed", description="The same seed gives the same training on the same machine", ge=0, le=2**32 - 1
        ),
    ] = 0
    resume: Annotated[
        bool,
        Field(
            title="Resume",
            description=(
                "Go on from the model that this user and service_uuid trained before, with the same kind of model "
                "and the same classes; epoch numbers go on too"
            ),
        ),
    ] = False


class _Use(Strict):
    """What the tasks that use a trained model share."""

    dataset: Annotated[
        Annotated[str, _DATASET] | None,
        Field(
            title="Dataset",
            description=f"{_DATASET_TEXT}. Empty: the one that the model was trained on",
            examples=["subjects", "school/reviews.csv"],
        ),
    ] = None
    text_field: Annotated[
        Annotated[str, _FIELD] | None,
        Field(title="Text field", description=f"The column or key that holds the text. {_EMPTY}`text`"),
    ] = None
    label_field: Annotated[
        Annotated[str, _FIELD] | None,
        Field(title="Label field", description=f"The column or key that holds the class. {_EMPTY}`label`"),
    ] = None
    split: Split = "test"


class EvaluateParams(_Use):
    """Measure the model that this user and service_uuid trained."""


class PredictParams(_Use):
    """Label texts with the model that this user and service_uuid trained."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"texts": ["Why is the sky blue?"]}, {"split": "all"}]})

    texts: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)]],
        Field(
            title="Texts",
            description="Texts to label, 64 KiB in all; for more, use a file. Empty: those of the file or the dataset",
            max_length=MAX_TEXTS,
            examples=[["Why is the sky blue?", "秦始皇是谁？"]],
        ),
    ] = Field(default_factory=list)
    file: Annotated[
        DataFile | None,
        Field(
            title="File",
            description="A .csv or .jsonl file of texts to label, below the datasets root; labels may be absent",
            examples=["school/new.jsonl"],
        ),
    ] = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum((bool(self.texts), self.file is not None, self.dataset is not None)) > 1:
            raise ValueError("give one of texts, file and dataset")
        if len(encode_texts(self.texts).encode()) > MAX_TEXTS_BYTES:
            raise ValueError(
                f"the texts are more than {MAX_TEXTS_BYTES >> 10} KiB (UTF-8, as JSON); put them in a file"
            )
        return self


def encode_texts(texts: Sequence[str]) -> str:
    """The texts as one argument: a JSON array, which also carries what an argument cannot, such as NUL.

    Braces are written as escapes, so that no text holds one of the launcher's path tokens.
    """
    return json.dumps(list(texts), ensure_ascii=False).replace("{", "\\u007b").replace("}", "\\u007d")
