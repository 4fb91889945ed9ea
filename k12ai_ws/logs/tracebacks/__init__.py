"""Python tracebacks of every shape, found line by line in a log."""

from .recogniser import HINTS, Report, TracebackRecogniser

__all__ = ["HINTS", "Report", "TracebackRecogniser"]
