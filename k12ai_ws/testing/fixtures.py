"""Pytest fixtures, shipped."""
