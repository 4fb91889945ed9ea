"""What a query selects: every combination of absent, null, true and false over the four keys."""

from itertools import product

import pytest

from k12ai_ws.monitor.items import ITEMS, select

ABSENT = object()
QUERIES = [
    {key: value for key, value in zip(ITEMS, values, strict=True) if value is not ABSENT}
    for values in product((ABSENT, None, True, False), repeat=len(ITEMS))
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_every_combination(query: dict[str, bool | None]) -> None:
    chosen = select(query)
    true = {key for key in ITEMS if query.get(key) is True}
    false = {key for key in ITEMS if query.get(key) is False}
    if true:
        assert chosen == true
    else:
        assert not chosen & false
        assert chosen | false == set(ITEMS)


def test_the_document_s_own_example() -> None:
    assert select({"cpus": True, "gpus": True, "disks": False, "containers": True}) == {"cpus", "gpus", "containers"}


@pytest.mark.parametrize("query", [None, {}])
def test_no_query_is_everything(query: dict[str, bool] | None) -> None:
    assert select(query) == {"cpus", "gpus", "disks", "containers"}


def test_all_named_false_is_nothing() -> None:
    assert select(dict.fromkeys(ITEMS, False)) == set()


def test_an_unknown_key_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"\['memory'\].*cpus, gpus, disks, containers"):
        select({"memory": True})
