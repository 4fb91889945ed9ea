"""Retention: the keeper, the raw log files of ended jobs, and how a running server is asked to look at once."""
