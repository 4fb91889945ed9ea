"""Python tracebacks of every shape, found line by line in a log."""

from .hints import HINTS
from .recogniser import Report, TracebackRecogniser

__all__ = ["HINTS", "Report", "TracebackRecogniser"]
