"""The exit codes that scripts can trust, and what ends a command early."""

from enum import IntEnum


class Exit(IntEnum):
    """What `k12ai` exits with."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    INTERRUPTED = 130


EXITS_HELP = """\
exit codes:
  0    done; a followed job finished
  1    the job failed, was stopped or lost, or what was asked for is not so
  2    the command line is wrong
  3    no server can be reached
  4    the server refused the request (its error says why)
  130  ended by Ctrl-C (jobs go on)"""


class UsageError(Exception):
    """The command line is wrong; the text says what would be right."""


class CommandFailed(Exception):
    """The command cannot do what was asked for; the text is all that the user needs to see."""
