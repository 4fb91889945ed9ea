"""The durable log of jobs and events: one contract (`store.py`); SQLite is the embedded one (`sqlite/`)."""
