"""The one table of commands. A command's module is imported only where that command is called."""

from typing import NamedTuple


class Command(NamedTuple):
    """A command: its name, the module that has its `configure(parser)` and `run(args)`, and one line of help."""

    name: str
    module: str
    summary: str


COMMANDS = (
    Command("demo", "demo", "see it all in a minute: a server, a training, a failing job explained"),
    Command("serve", "serve", "run the server"),
    Command("services", "services", "what can be started, and with which parameters"),
    Command("train", "start", "start a training"),
    Command("evaluate", "start", "evaluate a trained model"),
    Command("predict", "start", "predict with a trained model"),
    Command("run", "start", "start any task of a service"),
    Command("watch", "watch", "follow events as they come"),
    Command("jobs", "jobs", "list jobs, or show one"),
    Command("stop", "stop", "stop a job"),
    Command("stats", "stats", "CPU, GPU, disks and running jobs of the server's machine"),
    Command("token", "token", "make, list and revoke the tokens that let callers in"),
    Command("user", "user", "add, list and remove users who log in with a password"),
    Command("doctor", "checkup", "what this machine has and lacks, and what to do about it"),
    Command("prune", "prune", "remove what the settings no longer keep, or say what would go"),
    Command("backup", "backup", "copy the event log, also while the server runs"),
    Command("restore", "restore", "put a backup in the place of the event log"),
    Command("parse", "parse", "read a saved log and print the events it gives; needs no server"),
)
