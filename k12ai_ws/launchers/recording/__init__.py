"""How a run is recorded, whatever runs it: its journal, its small files, and how both are read while it goes on.

`journal.py` and `files.py` use the standard library alone, because the process launcher's supervisor imports them.
"""
