"""Where the embedded store lies."""

from typing import Final

DATABASE: Final = "k12ai.sqlite3"
"""Its file in the data folder; SQLite keeps others of this name beside it."""
