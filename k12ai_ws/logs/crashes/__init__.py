"""Crashes that are no Python traceback: native code, shells, launchers, other languages' stack traces."""

from .recogniser import HINTS, CrashRecogniser

__all__ = ["HINTS", "CrashRecogniser"]
