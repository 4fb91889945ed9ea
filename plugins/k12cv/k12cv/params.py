"""The `service_params` of each task, as models: their JSON Schema is served, and draws the web form.

Values are not coerced: `"5"` is no number of epochs. Names of datasets and files are forward-slash paths below the
datasets root. The patterns refuse whatever could mean another place (absolute, `..`, backslash, drive), hidden
names, a leading `-` (an option), braces (a launcher's path tokens), and control or bidirectional characters, which
would let a name lie in a log. Links are the trainer's business, for it sees the files.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from k12ai_ws.drivers import Params

BUNDLED = "digits"
"""The dataset that needs no file: the handwritten digits that scikit-learn carries."""

_OUTLAWED = (
    r"\x00-\x1f\x7f-\x9f"  # control characters
    r"/\\:*?\"<>|{}$~`"  # separators, drives, wildcards, tokens and shell's own
    r"\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # invisible and bidirectional
)
_PART = rf"[^{_OUTLAWED}.\s-][^{_OUTLAWED}]*"
_PATH = rf"{_PART}(?:/{_PART})*"

RelativePath = Annotated[str, Field(min_length=1, max_length=200, pattern=rf"^{_PATH}$")]
"""A forward-slash path below the datasets root."""

PythonFile = Annotated[str, Field(min_length=4, max_length=200, pattern=rf"^{_PATH}\.py$")]
"""The same, of a Python file."""

Dataset = Annotated[
    RelativePath,
    Field(
        title="Dataset",
        description=(
            "`digits` (bundled: 1,797 handwritten digits of 8x8 pixels), or the path below the datasets root of a "
            "folder or .zip that holds one sub-folder of images per class, such as `flowers` or `school/flowers.zip`"
        ),
        examples=["digits", "flowers", "school/flowers.zip"],
    ),
]

TrainedDataset = Annotated[
    RelativePath | None,
    Field(
        title="Dataset",
        description="Empty: the one that the model was trained on. Else `digits`, or a folder or .zip as in training",
        examples=["digits", "flowers"],
    ),
]

Split = Annotated[
    Literal["test", "val", "train", "all"],
    Field(
        title="Split",
        description=(
            "Which images of the dataset: `test` (20 %) was never seen in training, `val` (10 %) only watched it. "
            "The split is fixed: it depends on an image's name alone"
        ),
    ),
]

BatchSize = Annotated[int, Field(title="Batch size", description="Images per step", ge=1, le=1024)]

Device = Annotated[
    Literal["cpu", "cuda"],
    Field(title="Device", description="`cuda` asks for one GPU; only the model `cnn` makes use of it"),
]


class Strict(Params):
    """Base of this service's parameters: no coercion between types."""

    model_config = ConfigDict(strict=True)


class TrainParams(Strict):
    """Train a classifier, and test it on images that it has never seen."""

    dataset: Dataset = BUNDLED
    model: Annotated[
        Literal["softmax", "mlp", "cnn"],
        Field(
            title="Model",
            description=(
                "`softmax`: one linear layer; `mlp`: one hidden layer; `cnn`: a convolutional network (needs PyTorch)"
            ),
        ),
    ] = "mlp"
    epochs: Annotated[
        int, Field(title="Epochs", description="Passes over the training images, in this job", ge=1, le=1000)
    ] = 20
    learning_rate: Annotated[
        float,
        Field(
            title="Learning rate",
            description="Step size of the AdamW optimiser at first; it falls to nearly 0 over the job's epochs",
            gt=0,
            le=1,
        ),
    ] = 0.005
    batch_size: BatchSize = 32
    weight_decay: Annotated[
        float,
        Field(title="Weight decay", description="How strongly large weights are pulled back to 0 (AdamW)", ge=0, le=1),
    ] = 0.01
    hidden: Annotated[
        int, Field(title="Hidden units", description="Width of the hidden layer of `mlp` and `cnn`", ge=2, le=4096)
    ] = 128
    image_size: Annotated[
        int | None,
        Field(
            title="Image size",
            description="Images are scaled to this width and height in pixels. Empty: 8 for `digits`, 32 for others",
            ge=8,
            le=128,
        ),
    ] = None
    color: Annotated[
        Literal["gray", "rgb"], Field(title="Colour", description="Look at brightness alone, or at red, green and blue")
    ] = "gray"
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
                "Go on from the model that this user and service_uuid trained before, with the same model, dataset "
                "classes and image options; epoch numbers go on too"
            ),
        ),
    ] = False
    augment: Annotated[
        PythonFile | None,
        Field(
            title="Augmentation code",
            description=(
                "A Python file below the datasets root that defines `augment(images, labels)` and returns both. It "
                "gets the training images of each epoch: float32 0..1 of shape [n, h, w] (gray) or [n, h, w, 3] "
                "(rgb), and their class numbers [n]. It is user code: it runs inside the job, with the job's rights"
            ),
            examples=["school/shift.py"],
        ),
    ] = None
    device: Device = "cpu"
    threads: Annotated[
        int,
        Field(
            title="CPU threads",
            description="For `cnn`: more than 1 helps with large images on free cores, and hurts on busy ones",
            ge=1,
            le=64,
        ),
    ] = 1


class EvaluateParams(Strict):
    """Measure the model that this user and service_uuid trained."""

    dataset: TrainedDataset = None
    split: Split = "test"
    batch_size: BatchSize = 256
    device: Device = "cpu"


class PredictParams(Strict):
    """Classify images with the model that this user and service_uuid trained."""

    dataset: TrainedDataset = None
    split: Split = "test"
    files: Annotated[
        list[RelativePath],
        Field(
            title="Image files",
            description=(
                "Paths of images below the datasets root. Empty: the images of `dataset`; those that lie in no class "
                "folder belong to every split"
            ),
            max_length=200,
            examples=[["school/new/tulip-01.jpg"]],
        ),
    ] = Field(default_factory=list)
    batch_size: BatchSize = 256
    device: Device = "cpu"
