"""What usually causes the most common failures of people who train models, and what to try; English and Chinese."""

from .book import AdviceBook, Spoken, behind, read
from .builtin import ADVICE, BOOK
from .entry import Advice, AdviceError, BuiltIn, Said

__all__ = ["ADVICE", "BOOK", "Advice", "AdviceBook", "AdviceError", "BuiltIn", "Said", "Spoken", "behind", "read"]
