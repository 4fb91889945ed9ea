"""What this machine has and lacks to run the server, and what to do about it: the checks behind `k12ai doctor`.

Every check only looks: what it writes to find out is a temporary file, removed at once. Checks run side by side, each
in a daemon thread with a time limit, because what they look at (a driver, a network filesystem, an engine) can hang.
"""

from .diagnosis import diagnose
from .finding import Finding, Verdict

__all__ = ["Finding", "Verdict", "diagnose"]
