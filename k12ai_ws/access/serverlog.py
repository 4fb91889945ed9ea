"""The server's own log without secrets: tokens, and what stands behind a word that speaks of one."""

import re

from .redaction import HIDDEN
from .tokens import TOKEN

PLACES = re.compile(  # looked for from the beginnings of words on, and not far: a line may be long
    r"(?i)(?P<name>(?<![\w-])[\w-]{0,40}(?:passw(?:or)?d|passphrase|secret|authorization|api[_-]?key|token|cookie)[\w-]*"
    r"[\"']?\s*[:=]\s*[\"']?)(?P<scheme>(?:bearer|basic)\s+)?(?P<value>[^\s\"',;&)}\]]{3,})"
)


def clean(text: str) -> str:
    """The text with what looks like a secret taken out.

    >>> clean("password=hunter2, Authorization: Bearer abc.def")
    'password=[redacted], Authorization: Bearer [redacted]'
    """
    text = TOKEN.sub(lambda found: f"k12ai_{found[1]}_{HIDDEN}", text)
    return PLACES.sub(lambda found: f"{found['name']}{found['scheme'] or ''}{HIDDEN}", text)
