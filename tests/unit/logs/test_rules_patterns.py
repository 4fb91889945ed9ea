"""Patterns of rules: what RE2 cannot do is refused with the place and a way out; what must stand in a line is found."""

import re
import time

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from k12ai_ws.logs.rules.regex import MAX_PATTERN, BadPattern, compile_pattern
from k12ai_ws.logs.rules.syntax import cuts, literal, tokens


@pytest.mark.parametrize(
    ("pattern", "at", "words"),
    [
        (r"loss(?=: )(?P<a>\S+)", 5, r"`\(\?=`: looking ahead or behind is not supported.*group"),
        (r"(?<=a)b", 1, r"`\(\?<=`: looking ahead or behind"),
        (r"(?<!a)b", 1, r"`\(\?<!`: looking ahead or behind"),
        (r"(a)\1", 4, r"`\\1`: a reference to another group"),
        (r"(?P<a>x)(?P=a)", 9, r"`\(\?P=`: a reference to another group"),
        (r"x(?>a)", 2, r"atomic.*write \(\?:\.\.\.\)"),
        (r"(?#note)a", 1, "comment"),
        (r"a(?(1)b)", 2, "condition"),
        (r"(?x) a", 1, "flag is not supported: there are i, m, s and U"),
        (r"(?P<a-b>x)", 1, r"letters, digits and _"),
        (r"(?P<val loss>x)", 1, r"letters, digits and _"),
        (r"(?Px)", 1, r"behind `\(\?` comes"),
        (r"ab++", 3, r"`\+\+`: a repetition that keeps"),
        (r"a**", 2, "two repetitions in a row"),
        (r"*a", 1, "nothing to repeat"),
        (r"a|*", 3, "nothing to repeat"),
        (r"a{1001}", 2, "1,000 times at most"),
        (r"(a{500}){500}", 3, "1,000 times at most"),
        (r"a{3,1}", 2, "the smaller number first"),
        (r"a{,3}", 2, r"written \{0,3\}"),
        (r"ab(c", 3, r"never closed: add `\)`"),
        (r"a(b(c)", 2, r"never closed: add `\)`"),
        (r"a)b", 2, "closed that was never opened"),
        (r"x[a", 2, r"`\[`: a set is opened"),
        (r"[z-a]", 2, "a range goes up"),
        (r"[[:foo:]]", 2, "no set of characters of this name"),
        (r"a\p{Foo}", 2, "no set of characters of this name"),
        (r"end\Z", 4, r"written \$ or \\z"),
        (r"a\u0041", 2, r"\\x\{263A\}"),
        (r"a\h", 2, r"\[ \\t\]"),
        (r"a\q", 2, "there is no such escape: for the character itself, write q"),
        (r"a\é", 2, "write é"),
        (r"a\xg", 2, "hexadecimal"),
        ("a\\", 2, r"written \\\\"),
        (r"[a-\d]", 4, "cannot stand here"),
        (r"loss\n", 5, "a line has no line end"),
        ("loss\n", 5, "a line has no line end"),
        (r"loss\x0a", 5, "a line has no line end"),
        (r"(?P<a>x)(?P<a>y)", 9, r"there is a group 'a' already \(at character 1\)"),
        (r".{1000}", 1, "too large when its repetitions are written out"),
        ("x" * (MAX_PATTERN + 1), MAX_PATTERN + 1, "1000 are the most"),
        ("()" * 41, 1, "41 groups"),
        ("(?P<" + "a" * 101 + ">x)", 1, "100 characters at most"),
        ("a\ud800", 2, "lone surrogate"),
        ("", 1, "empty"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_a_way_out(pattern: str, at: int, words: str) -> None:
    with pytest.raises(BadPattern, match=rf"(?s)^at character {at}, .*{words}") as caught:
        compile_pattern(pattern)
    assert caught.value.at == at - 1


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        (r"loss=(?P<loss>\S+)", "loss="),
        (r"(?P<x>\S+)", None),
        (r"a|b", None),
        (r"(a|bcd)", None),
        (r"(?:epoch|ep) (?P<epoch>\d+) loss", " loss"),
        (r"(?:train )?loss", "loss"),
        (r"(?:abc){0,3}x", "x"),
        (r"(foo bar)+", "foo bar"),
        (r"ab+cde", "cde"),
        (r"abc*d", "ab"),
        (r"a{2}bc", "bc"),
        (r"\[rank(?P<rank>\d+)\]: reward\s+(?P<r>\S+)", "]: reward"),
        (r"\Qa.b\Ec", "a.bc"),
        (r"\Qab\E*c", "c"),
        (r"\x41\x{42}C", "ABC"),
        (r"(?i)Loss = (?P<l>.)", " = "),
        (r"(?i:loss)", None),
        (r"(?s-i)Loss", "Loss"),
        (r"損失 (?P<l>\S+)", "損失 "),
        (r"[[:alpha:]]]x=", "]x="),
        (r"[]a]b", "b"),
        (r"\.\*", ".*"),
        (r"   (?P<x>\d)", None),
    ],
)
def test_the_text_that_must_stand_in_a_line(pattern: str, wanted: str | None) -> None:
    assert compile_pattern(pattern).literal == wanted


ATOMS = st.sampled_from(
    [*"abcAB= :", r"\d", r"\.", ".", "[ab]", "[^a]", r"\x41", r"\Qb.\E", "é", r"\s", "^", "$", r"\b"]
)
REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{0,2}", "*?"])
PATTERNS = st.recursive(
    st.tuples(ATOMS, REPEATS).map(lambda p: p[0] if p[0] in ("^", "$", r"\b") else "".join(p)),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=5).map("".join),
        st.tuples(st.sampled_from(["(", "(?:", "(?P<g>", "(?i:"]), inner, REPEATS).map(
            lambda p: f"{p[0]}{p[1]}){p[2]}"
        ),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        inner.map(lambda p: f"(?i){p}"),
    ),
    max_leaves=8,
)
LINES = st.text("abcAB= :.1é", max_size=12)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, st.lists(LINES, min_size=1, max_size=8))
def test_no_line_that_matches_lacks_its_text(pattern: str, lines: list[str]) -> None:
    try:
        regex = compile_pattern(pattern)
    except BadPattern:  # two groups of one name, two repetitions
        return
    for line in lines:
        if regex.literal is not None and regex.compiled.search(line.encode()):
            assert regex.literal in line


@settings(max_examples=400, deadline=None)
@given(PATTERNS, LINES)
def test_what_stands_before_a_cut_is_a_pattern_that_matches_wherever_the_whole_does(pattern: str, line: str) -> None:
    try:
        compiled = compile_pattern(pattern).compiled
    except BadPattern:
        return
    for end in cuts(pattern):
        beginning = compile_pattern(pattern[:end]).compiled
        assert beginning.search(line.encode()) or not compiled.search(line.encode())


def refusal(pattern: str) -> BadPattern | None:
    try:
        compile_pattern(pattern)
    except BadPattern as e:
        return e
    return None


@settings(max_examples=600, deadline=None)
@given(st.text("ab()[]{}*+?|\\^$.,<>P=!:#-QEdxn0159é\n", max_size=25))
def test_any_text_is_a_pattern_or_is_refused_with_a_place(pattern: str) -> None:
    assert "".join(pattern[t.at : t.end] for t in tokens(pattern)) == pattern
    literal(pattern)
    error = refusal(pattern)
    if error is not None:
        assert 0 <= error.at <= len(pattern)
        assert re.match(r"at character \d+, .{10}", str(error), re.DOTALL)


@pytest.mark.parametrize(
    "pattern",
    [r"(x+x+)+y", r"(a|a)*b", r"(?:a?){100}(?:a){100}(?P<v>b)", r"(?P<v>.*a.{50}b.*)$", r"(.*)(.*)(.*)(.*)(.*)=z"],
)
def test_no_pattern_is_slow(pattern: str) -> None:
    """Python's own engine would take longer than the universe has for some of these."""
    compiled = compile_pattern(pattern).compiled
    begun = time.process_time()
    for line in (b"a" * 4000, b"x" * 4000, b"ab" * 2000, b"=" * 4000):
        compiled.search(line)
    assert time.process_time() - begun < 2


def test_what_stays_silent_in_re2_is_known() -> None:
    """A group's name twice and `{,3}` are taken by RE2 itself: were that to change, our own test could go."""
    assert re2.compile("(?P<a>x)(?P<a>y)").groups == 2
    assert re2.compile("a{,3}").search("a{,3}")
