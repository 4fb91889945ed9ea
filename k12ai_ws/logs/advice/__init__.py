"""What usually causes the most common failures of people who train models, and what to try; English and Chinese."""

from .arrays import ARRAYS
from .entry import Advice
from .files import FILES
from .machines import MACHINES
from .programs import PROGRAMS

__all__ = ["ADVICE", "Advice"]

ADVICE: tuple[Advice, ...] = (*MACHINES, *ARRAYS, *FILES, *PROGRAMS)
"""Tried in this order; the first that holds speaks."""
