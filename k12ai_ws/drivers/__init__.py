"""The plugin seam, and all that a driver plugin imports.

A driver says what a service's jobs run and how their logs read. See `docs/drivers.md`.
"""

from k12ai_ws.logs.advice import Advice, AdviceError
from k12ai_ws.logs.parser import LogParser
from k12ai_ws.logs.rules import Rule, RuleError
from k12ai_ws.wire.bodies import Fault, Metrics, Progress
from k12ai_ws.wire.codes import Code

from .driver import Driver, Job, Params, Refused
from .hooks import hookimpl
from .spec import LaunchSpec, Mount, Resources

__all__ = [
    "Advice",
    "AdviceError",
    "Code",
    "Driver",
    "Fault",
    "Job",
    "LaunchSpec",
    "LogParser",
    "Metrics",
    "Mount",
    "Params",
    "Progress",
    "Refused",
    "Resources",
    "Rule",
    "RuleError",
    "hookimpl",
]
