"""All advice of this package, in the order in which it is tried: what names its cause most clearly comes first."""

from .book import AdviceBook
from .checkpoints import CHECKPOINTS
from .devices import DEVICES
from .entry import Advice
from .files import FILES
from .foreign import FOREIGN
from .formats import FORMATS
from .frames import FRAMES
from .hub import HUB
from .images import IMAGES
from .imports import IMPORTS
from .keras import KERAS
from .labels import LABELS
from .memory import MEMORY
from .names import NAMES
from .network import NETWORK
from .operands import OPERANDS
from .processes import PROCESSES
from .shapes import SHAPES
from .syntax import SYNTAX
from .tabular import TABULAR
from .tensors import TENSORS
from .values import VALUES

ADVICE: tuple[Advice, ...] = (
    *FOREIGN,
    *MEMORY,
    *DEVICES,
    *PROCESSES,
    *IMAGES,
    *SHAPES,
    *TENSORS,
    *LABELS,
    *CHECKPOINTS,
    *HUB,
    *NETWORK,
    *KERAS,
    *TABULAR,
    *FRAMES,
    *FORMATS,
    *FILES,
    *IMPORTS,
    *NAMES,
    *OPERANDS,
    *VALUES,
    *SYNTAX,
)
"""The first that holds speaks."""

BOOK = AdviceBook(ADVICE)
