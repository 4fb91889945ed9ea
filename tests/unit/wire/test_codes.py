"""The table of codes: complete, in both languages, with the HTTP status of the contract."""

import pytest

from k12ai_ws.wire.codes import LANGUAGES, MEANINGS, Code, describe, http_status

CONTRACT = [
    *(*range(100000, 100010), 100011),
    *(100101, 100102, 100103, 100105, 100106, 100107, 100108),
    *(100201, 100202, 100203, 100204, 100205, 100208, 100210, 100211, 100212, 100213, 100231, 100232, 100233),
    *(*range(100901, 100923), 100930, 100999),
]
HTTP = {
    400: [100101, 100102, 100103, 100231, 100233],
    401: [100105],
    403: [100106],
    404: [100201, 100205],
    409: [100204],
    410: [100107],
    413: [100011],
    429: [100210, 100108],
    503: [100203],
    500: [100202, 100999],
}


@pytest.mark.parametrize("code", CONTRACT)
def test_every_code_of_the_contract_is_there(code: int) -> None:
    assert Code(code) in MEANINGS


def test_the_table_is_whole() -> None:
    assert set(MEANINGS) == set(Code)


@pytest.mark.parametrize("code", list(Code))
def test_every_code_says_something_in_every_language(code: Code) -> None:
    en, zh = (describe(code, language) for language in LANGUAGES)
    assert en.isascii()
    assert en.strip() == en != ""
    assert any("\u4e00" <= c <= "\u9fff" for c in zh)


def test_no_two_codes_say_the_same() -> None:
    for language in LANGUAGES:
        assert len({describe(code, language) for code in Code}) == len(Code)


@pytest.mark.parametrize(("status", "code"), [(s, c) for s, codes in HTTP.items() for c in codes])
def test_http_status_is_the_contracts(status: int, code: int) -> None:
    assert http_status(code) == status


@pytest.mark.parametrize("code", list(Code))
def test_an_error_is_never_answered_as_a_success(code: Code) -> None:
    """A driver may refuse with any code, also with one of a job's end: that is the request's fault, not a success."""
    assert 400 <= http_status(code) < 600


@pytest.mark.parametrize("code", [0, -1, 42, 100104, 10**30])
def test_a_code_that_is_not_in_the_table_reads_as_unknown(code: int) -> None:
    assert describe(code) == describe(Code.UNKNOWN)
    assert describe(code, "zh") == describe(Code.UNKNOWN, "zh")
    assert http_status(code) == 500
