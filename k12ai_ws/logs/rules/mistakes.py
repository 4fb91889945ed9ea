"""What is wrong in a pattern, where, and what would be right: most people know other engines' regular expressions."""

import re
from collections.abc import Iterator

from .syntax import group_names, tokens

_GROUPS = (
    (
        ("(?=", "(?!", "(?<=", "(?<!"),
        "looking ahead or behind is not supported, because it cannot be matched in linear time: match what stands "
        "around the value as ordinary text, and put only the value into a group",
    ),
    (("(?>",), "an atomic group is not supported, and not needed, as nothing backtracks: write (?:...)"),
    (("(?P=", "(?P>", "(?R", "(?&"), "a reference to another group is not supported: repeat that group's pattern"),
    (("(?#",), "a comment is not supported: put it beside the rule"),
    (("(?(",), "a condition is not supported: write one rule for each case"),
    (("(?x", "(?a", "(?u", "(?L"), "this flag is not supported: there are i, m, s and U, as in (?i)"),
    (("(?P<", "(?<", "(?'"), "a group's name is letters, digits and _, written (?P<name>...)"),
)
_ESCAPES = {
    "Z": r"the end of the text is written $ or \z",
    "n": r"a line has no line end: rules see one line at a time, so leave \n out",
    "u": r"a character's number is written \x{263A}",
    "U": r"a character's number is written \x{1F600}",
    "N": r"a character's number is written \x{263A}",
    "h": r"a space or a tab is written [ \t]",
    "R": r"a line has no line end: rules see one line at a time",
    "K": "put what you want to keep into a group",
    "G": "rules see one line at a time, from its beginning: ^",
}


def sure_mistakes(pattern: str) -> Iterator[tuple[int, str]]:
    """What RE2 takes and nobody can mean: (position, what it is and what would be right)."""
    for token in tokens(pattern):
        text = pattern[token.at : token.end]
        if "\n" in (token.text or "") or (text == r"\n" and token.kind == "escape"):
            yield token.at, rf"`\n`: {_ESCAPES['n']}"
        if text == "{" and (most := re.match(r"\{,(\d{1,4})\}", pattern[token.at :])):
            yield token.at, f"`{most[0]}` means just these characters: a repetition is written {{0,{most[1]}}}"
    first: dict[str, int] = {}
    for name, at in group_names(pattern):
        if name in first:
            text = f"`(?P<{name}>`: there is a group {name!r} already (at character {first[name] + 1})"
            yield at, f"{text}; a name stands once in a pattern: write two rules"
        first.setdefault(name, at)


def mistake(pattern: str, said: str) -> tuple[int, str]:
    """Of a pattern that RE2 refused with the words `said`: where, and what would be right."""
    parts = list(tokens(pattern))
    for token, following in zip(parts, [*parts[1:], None], strict=True):
        rest = pattern[token.at :]
        if (
            token.kind == "open"
            and following is not None
            and pattern[following.at] == "?"
            and token.end == following.at
        ):
            for starts, words in _GROUPS:
                for start in starts:
                    if rest.startswith(start):
                        return token.at, f"`{start}`: {words}"
        if token.kind == "escape" and (wrong := _escape(rest)) is not None:
            return token.at, wrong
        if token.kind == "repeat" and following is not None and following.kind == "repeat":
            both = pattern[token.at : following.end]
            if both.endswith("+"):
                words = "a repetition that keeps what it has is not supported, and not needed: write one of the two"
            else:
                words = "two repetitions in a row: put the first into (?:...), or leave one out"
            return token.at, f"`{both}`: {words}"
    return _as_said(pattern, said)


def _escape(rest: str) -> str | None:
    """What is wrong with the escape that begins here, if anything is."""
    letter = rest[1:2]
    if letter == "":
        return r"`\`: a backslash at the end: the character itself is written \\"
    if letter in "123456789" and not re.match(r"\\[0-7]{2}", rest):
        return rf"`\{letter}`: a reference to another group is not supported: repeat that group's pattern"
    if letter in _ESCAPES:
        return rf"`\{letter}`: {_ESCAPES[letter]}"
    if letter == "x" and not re.match(r"\\x(?:[0-9A-Fa-f]{2}|\{[0-9A-Fa-f]+\})", rest):
        return r"`\x`: two hexadecimal digits must follow, or any number of them in braces: \x41, \x{263A}"
    if letter.isalnum() and letter not in "AabBcCdDfpPQErsStvwWxz01234567":
        return rf"`\{letter}`: there is no such escape: for the character itself, write {letter}"
    if ord(letter) > 127:
        return rf"`\{letter}`: only ASCII characters can be escaped: write {letter}"
    return None


_SAID = {
    "missing )": "a parenthesis is opened here and never closed: add `)`, or write `\\(` for the character itself",
    "unexpected )": "a parenthesis is closed that was never opened: write `\\)` for the character itself",
    "missing ]": "a set is opened here and never closed: add `]`, or write `\\[` for the character itself",
    "no argument for repetition operator": "there is nothing to repeat before it: write a backslash before it for the "
    "character itself",
    "invalid character class range": "a set is not like this: a range goes up, as in a-z; for the character `-`, put "
    "it last",
    "invalid escape sequence": "this escape cannot stand here: for the character itself, leave the backslash out",
    "invalid perl operator": "behind `(?` comes `:` (no group), `P<name>`, or flags such as `i`",
    "invalid repetition size": "a repetition is of 1,000 times at most (inner and outer ones multiplied), the smaller "
    "number first; what is longer is mostly meant to be * or +",
    "pattern too large": "it is too large when its repetitions are written out: use smaller numbers, or * and +",
}


def _as_said(pattern: str, said: str) -> tuple[int, str]:
    """RE2's own words, with the place that they quote."""
    what, _, quoted = said.partition(": ")
    at = max(pattern.find(quoted), 0) if quoted else 0
    if what == "missing )":
        quoted, at = "(", _unclosed(pattern)
    elif what == "unexpected )":
        quoted, at = ")", _unopened(pattern)
    elif what == "missing ]":
        quoted = "["
    words = _SAID.get(what.removesuffix(" - compile failed"), what)
    if quoted.startswith(("[:", "\\p", "\\P")):
        words = "there is no set of characters of this name"
    return at, f"`{quoted or pattern[:20]}`: {words}"


def _unclosed(pattern: str) -> int:
    """Where the outermost parenthesis that is never closed stands."""
    opened: list[int] = []
    for token in tokens(pattern):
        if token.kind == "open":
            opened.append(token.at)
        elif token.kind == "close" and opened:
            opened.pop()
    return opened[-1] if opened else 0


def _unopened(pattern: str) -> int:
    depth = 0
    for token in tokens(pattern):
        depth += (token.kind == "open") - (token.kind == "close")
        if depth < 0:
            return token.at
    return 0
