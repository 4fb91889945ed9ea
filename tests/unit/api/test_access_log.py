"""The route that a request is counted under."""

from k12ai_ws.api.routes import ROUTES


def test_a_handler_answers_at_one_address() -> None:
    """Requests are counted by the template of their handler's route."""
    addresses: dict[type, set[str]] = {}
    for route in ROUTES:
        addresses.setdefault(route.handler, set()).add(route.path)
    assert all(len(paths) == 1 for paths in addresses.values())
