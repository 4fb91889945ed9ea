"""What of the access stage needs neither a server nor a file."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k12ai_ws.access import scope
from k12ai_ws.access.passwords import is_password
from k12ai_ws.access.principal import LOCAL, Kind, Principal
from k12ai_ws.access.rates import Buckets
from k12ai_ws.access.redaction import HIDDEN, Redaction, hide, without
from k12ai_ws.access.serverlog import clean
from k12ai_ws.access.tokens import from_subprotocol, new_id, new_secret, split_token, to_subprotocol, token_text
from k12ai_ws.settings.access import SECRET_NAMES
from k12ai_ws.wire.bodies import Fault, LogLines, Metrics, Progress, Status
from k12ai_ws.wire.filter import EventFilter
from k12ai_ws.wire.requests import Refusal
from k12ai_ws.wire.status import JobStatus

ANN = Principal(Kind.TOKEN, "x", "ann")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class TestBuckets:
    def test_a_burst_and_then_the_rate(self) -> None:
        clock = Clock()
        buckets = Buckets(2.0, 3, clock)
        assert [buckets.take("a") for _ in range(3)] == [0, 0, 0]
        assert buckets.take("a") == 0.5
        assert buckets.take("b") == 0, "another key's bucket is its own"
        clock.now = 0.5
        assert buckets.take("a") == 0
        assert buckets.take("a") > 0
        clock.now = 1000.0
        assert [buckets.take("a") > 0 for _ in range(4)] == [False, False, False, True], "no more than the burst"

    def test_one_that_is_given_back(self) -> None:
        buckets = Buckets(1.0, 1, Clock())
        assert buckets.take("a") == 0
        buckets.give("a")
        assert buckets.take("a") == 0
        buckets.give("nobody")
        assert len(buckets) == 1

    def test_the_table_is_bounded_and_those_who_come_stay(self) -> None:
        buckets = Buckets(0.001, 2, Clock(), most=10)
        assert buckets.take("busy") == 0
        for number in range(100):
            buckets.take(f"k{number}")
            buckets.take("busy")
            assert len(buckets) <= 10
        assert buckets.take("busy") > 0


class TestTokens:
    def test_there_and_back(self) -> None:
        token_id, secret = new_id(), new_secret()
        text = token_text(token_id, secret)
        assert split_token(text) == (token_id, secret)
        assert from_subprotocol(to_subprotocol(text)) == text

    @given(st.text(max_size=80))
    def test_anything_else_is_none(self, text: str) -> None:
        assert split_token(text) is None
        assert split_token(f"k12ai_{text}") is None
        from_subprotocol(text)
        from_subprotocol(to_subprotocol("x") + text)

    def test_a_trailing_line_end_is_no_part_of_one(self) -> None:
        assert split_token(token_text(new_id(), new_secret()) + "\n") is None


@pytest.mark.parametrize("hashed", ["", "x", "scrypt$1$8$1$$", "scrypt$32768$8$3$%%%$x", "bcrypt$32768$8$1$AAAA$AAAA"])
def test_a_broken_hash_opens_for_nobody(hashed: str) -> None:
    assert not is_password("", hashed)
    assert not is_password("password", hashed)


class TestRedaction:
    redaction = Redaction(SECRET_NAMES)

    @pytest.mark.parametrize(
        "name",
        ["token", "password", "Password", "DB_PASSWORD", "apiKey", "api-key", "X-Api-Key", "hf_token", "accessToken",
         "client_secret", "Authorization", "aws_secret_access_key", "private_key", "userPasswd", "session_cookie",
         "pwd", "dbPwd", "auth"],
    )  # fmt: skip
    def test_names_of_secrets(self, name: str) -> None:
        assert self.redaction.is_secret(name)

    @pytest.mark.parametrize(
        "name",
        ["tokens", "max_tokens", "tokenizer", "num_token_types", "pad_token", "eos_token", "key", "keys", "epochs",
         "learning_rate", "pass", "bypass", "author", "model"],
    )  # fmt: skip
    def test_names_of_none(self, name: str) -> None:
        assert not self.redaction.is_secret(name)

    def test_a_view_hides_whatever_stands_there(self) -> None:
        data = {
            "db": {"password": {"user": "u", "value": "abcdefgh"}},
            "token": 5,
            "password": None,
            "x": [{"secret": True}],
        }
        shown = self.redaction.shown(data)
        assert shown == {"db": {"password": HIDDEN}, "token": HIDDEN, "password": None, "x": [{"secret": True}]}
        assert self.redaction.secrets(data) == ("abcdefgh",)

    def test_the_longest_goes_first(self) -> None:
        secrets = self.redaction.secrets({"token": "abcdef", "password": "abcdefgh"})
        assert hide("abcdefgh abcdef", secrets) == f"{HIDDEN} {HIDDEN}"

    def test_a_very_deep_one_is_hidden_and_not_followed(self) -> None:
        deep: object = "x"
        for _ in range(500):
            deep = {"a": deep}
        assert HIDDEN in json.dumps(self.redaction.shown(deep))
        assert self.redaction.secrets(deep) == ()

    def test_a_secret_of_several_lines_is_looked_for_line_by_line(self) -> None:
        assert self.redaction.secrets({"private_key": "-----BEGIN-----\nabcdefgh\r\nxyz\n"}) == (
            "-----BEGIN-----",
            "abcdefgh",
        )

    def test_many_names_and_long_ones_cost_little(self) -> None:
        """So many names at most are remembered, so much of one is looked at, so many texts are looked for."""
        data = {f"password_{n}": f"secret number {n}" for n in range(2000)} | {"x" * 100_000 + "password": "abcdefgh"}
        assert len(self.redaction.secrets(data)) == 100
        assert self.redaction.shown(data)["password_7"] == HIDDEN

    def test_every_kind_of_event(self) -> None:
        secrets = ("hunter22",)
        for body in (
            LogLines("stdout", ["a hunter22 b"]),
            Fault(1, "a hunter22", detail={"traceback": [{"source": "x='hunter22'"}], "raw": "hunter22"}),
            Progress(0.5, desc="hunter22", unit="hunter22"),
            Metrics({"hunter22": 1.0}),
            Status(JobStatus.FAILED, 1, message="hunter22"),
        ):
            assert "hunter22" in json.dumps(body.body())
            assert "hunter22" not in json.dumps(without(body, secrets).body())
            assert without(body, ()) is body


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "token" * 20_000, "password-" * 10_000 + "=", " " * 100_000, "a: " * 50_000]
)
def test_a_long_line_of_the_log_is_cleaned_in_no_time(text: str) -> None:
    """It ends: an expression that looked from each letter on would take minutes."""
    clean(text)


class TestScope:
    def test_a_filter_is_narrowed(self) -> None:
        assert scope.narrow(ANN, EventFilter(job_id="j")) == EventFilter(user="ann", job_id="j")
        assert scope.narrow(ANN, EventFilter(user="ann")) == EventFilter(user="ann")
        assert scope.narrow(LOCAL, EventFilter()) == EventFilter()
        assert scope.narrow(LOCAL, EventFilter(user="bob")) == EventFilter(user="bob")
        with pytest.raises(Refusal):
            scope.narrow(ANN, EventFilter(user="bob"))

    @pytest.mark.parametrize("name", ["Ann", "ann ", "ann\0", "\u0430nn", "", "an"])
    def test_a_name_that_looks_like_it_is_another(self, name: str) -> None:
        with pytest.raises(Refusal):
            scope.require_user(ANN, name)

    def test_what_has_no_user_is_nobodys(self) -> None:
        assert scope.own(ANN, [{"user": "ann"}, {"user": "bob"}, {}, {"user": None}]) == [{"user": "ann"}]
        nobody = Principal(Kind.TOKEN, "x", None)  # no admin: it has nothing
        assert scope.own(nobody, [{"user": "ann"}]) == []

    def test_an_admin_alone_passes_for_one(self) -> None:
        scope.require_admin(LOCAL, "this")
        with pytest.raises(Refusal):
            scope.require_admin(ANN, "this")
