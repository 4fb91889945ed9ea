"""The texts that let somebody in, and the hashes that are kept of them.

A secret is 256 random bits. Nobody can guess one, nor try them all against a stolen hash, so a plain SHA-256 protects
it as well as a slow hash would, and costs a request a microsecond instead of a tenth of a second. Passwords, which
people choose, get a slow one: `passwords.py`.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import string

TOKEN = re.compile(r"k12ai_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
"""`k12ai_ID_SECRET`: the id is public and stands in lists and logs; the prefix lets scanners of leaks find tokens."""
ID_LETTERS = string.ascii_lowercase + string.digits
ID_LENGTH = 12
SECRET_BYTES = 32
SUBPROTOCOL_PREFIX = "base64url.bearer.authorization.k12ai."
"""A browser's WebSocket cannot set headers: there the token comes as a sub-protocol, as Kubernetes has it."""


def new_id() -> str:
    """A public id."""
    return "".join(secrets.choice(ID_LETTERS) for _ in range(ID_LENGTH))


def new_secret() -> str:
    """256 random bits as 43 letters that a URL, a header and a cookie can carry."""
    return secrets.token_urlsafe(SECRET_BYTES)


def token_text(token_id: str, secret: str) -> str:
    """The token as its owner keeps it."""
    return f"k12ai_{token_id}_{secret}"


def split_token(text: str) -> tuple[str, str] | None:
    """(id, secret) of a token's text; None for what cannot be one."""
    found = TOKEN.fullmatch(text)
    return (found[1], found[2]) if found else None


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def same(one: bytes, other: bytes) -> bool:
    """Whether two digests are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(one, other)


def from_subprotocol(name: str) -> str | None:
    """The token in a sub-protocol's name; None where it is none, or is no base64url."""
    if not name.startswith(SUBPROTOCOL_PREFIX):
        return None
    coded = name.removeprefix(SUBPROTOCOL_PREFIX)
    try:
        return base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def to_subprotocol(token: str) -> str:
    """The sub-protocol that carries a token."""
    return SUBPROTOCOL_PREFIX + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
