"""Who may do what: tokens, sessions, password users, rates, the audit log, and what is never shown.

`gate.py` is the one object that the doors ask; `scope.py` says what a caller may see and touch.
"""
