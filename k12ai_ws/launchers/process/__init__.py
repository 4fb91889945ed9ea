"""The embedded launcher: one local process per job, kept by a small supervisor that outlives the server.

`launcher.py` is the launcher itself, `runs.py` its blocking half. `supervisor.py` is the program that stands between
the server and the job; it and what it imports (`child.py`, `output.py`, `proc.py`, `rundir.py`, and the journal and
files of `recording/`) use the standard library alone, because it starts with no site-packages, for speed and so that
nothing installed can break it. This file stays empty for the same reason.
"""
