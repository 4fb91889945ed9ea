"""What is never shown: the values of fields whose names speak of secrets.

The patterns are the operator's (`access.redact`): a `*` stands for any text, a `!` before one takes names out again.
A name is looked at in small letters with `_` for `-` and for a new word (`apiKey` is `api_key`).
"""

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, TypeVar, cast

from k12ai_ws.wire.bodies import Body, Fault, Json, LogLines, Metrics, Progress, Status

HIDDEN: Final = "[redacted]"
SHORTEST = 6
"""A secret of fewer letters is hidden where it stands, and not looked for in other texts: `a` is everywhere."""
MOST = 100
"""Secrets of one job that are looked for in texts: each costs a look at every line."""
MAX_DEPTH = 64
KNOWN_NAMES, LONGEST_NAME = 4096, 200
"""Names that are remembered, and how much of one is looked at."""

B = TypeVar("B", bound=Body)


def spelled(name: str) -> str:
    """A field's name as the patterns see it.

    >>> spelled("apiKey"), spelled("X-Auth-Token"), spelled("HF_TOKEN")
    ('api_key', 'x_auth_token', 'hf_token')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


class Redaction:
    """Knows which names speak of secrets, and hides what stands under them."""

    def __init__(self, patterns: Sequence[str]) -> None:
        yes = _any_of([spelled(p) for p in patterns if not p.startswith("!")])
        no = _any_of([spelled(p[1:]) for p in patterns if p.startswith("!")])
        self._is_secret = lru_cache(KNOWN_NAMES)(
            lambda name: yes.match(known := spelled(name)) is not None and no.match(known) is None
        )

    def is_secret(self, name: str) -> bool:
        """Whether a field of this name holds a secret."""
        return self._is_secret(name[:LONGEST_NAME])

    def secrets(self, data: Json) -> tuple[str, ...]:
        """The texts under secret names, anywhere in it, each line for itself, as a log would show it; those that are
        long enough to be looked for, longest first, `MOST` of them.
        """
        lines = (line.strip() for text in self._secrets(data, secret=False, depth=0) for line in text.splitlines())
        found = {line for line in lines if len(line) >= SHORTEST}
        return tuple(sorted(found, key=lambda text: (-len(text), text))[:MOST])

    def _secrets(self, data: Json, *, secret: bool, depth: int) -> Iterator[str]:
        if depth > MAX_DEPTH:
            return
        if secret and isinstance(data, str | int | float) and not isinstance(data, bool):
            yield str(data)
        elif isinstance(data, Mapping):
            for name, value in data.items():
                yield from self._secrets(value, secret=secret or self.is_secret(str(name)), depth=depth + 1)
        elif isinstance(data, list | tuple):
            for value in data:
                yield from self._secrets(value, secret=secret, depth=depth + 1)

    def shown(self, data: Json, depth: int = 0) -> Json:
        """A copy in which every value under a secret name is `[redacted]`; None and true or false tell nothing."""
        if depth > MAX_DEPTH:
            return HIDDEN
        if isinstance(data, Mapping):
            return {
                name: HIDDEN
                if self.is_secret(str(name)) and value is not None and not isinstance(value, bool)
                else self.shown(value, depth + 1)
                for name, value in data.items()
            }
        if isinstance(data, list | tuple):
            return [self.shown(value, depth + 1) for value in data]
        return data


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    """One expression for all of them; of none, one that matches nothing."""
    return re.compile("|".join(fnmatch.translate(p) for p in patterns) or r"(?!)")


def hide(text: str, secrets: Sequence[str]) -> str:
    """The text without the secrets that stand in it."""
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def hide_in(value: Json, secrets: Sequence[str]) -> Json:
    """A copy of a JSON value without the secrets that stand in its texts; names stay."""
    if not secrets:
        return value
    if isinstance(value, str):
        return hide(value, secrets)
    if isinstance(value, Mapping):
        return {name: hide_in(one, secrets) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [hide_in(one, secrets) for one in value]
    return value


def without(body: B, secrets: Sequence[str]) -> B:
    """An event's body without the secrets that stand in what it tells."""
    if not secrets:
        return body
    return cast("B", _without(body, secrets))


def _without(body: Body, secrets: Sequence[str]) -> Body:
    match body:
        case LogLines(lines=lines):
            return replace(body, lines=[hide(line, secrets) for line in lines])
        case Fault(message=message, detail=detail):
            return replace(body, message=message and hide(message, secrets), detail=hide_in(detail, secrets))
        case Progress(unit=unit, desc=desc):
            return replace(body, unit=unit and hide(unit, secrets), desc=desc and hide(desc, secrets))
        case Metrics(values=values):
            return replace(body, values={hide(name, secrets): value for name, value in values.items()})
        case Status(message=message):
            return replace(body, message=message and hide(message, secrets))
        case _:
            return body
