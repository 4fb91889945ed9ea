"""See docs/architecture.md."""


def main() -> int:
    """To come."""
    return 0
