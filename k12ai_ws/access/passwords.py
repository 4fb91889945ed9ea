"""Passwords: kept as scrypt hashes, looked at off the event loop, few at a time."""

import asyncio
import base64
import hashlib
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor

from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.requests import refuse

N, R, P = 1 << 15, 8, 3
"""OWASP's advice for scrypt; 32 MiB and some tenths of a second each."""
MEMORY = 64 << 20
MOST_WAITING = 8
"""Passwords that wait to be looked at; more are refused with 100108."""
KEPT_S = 60.0
MOST_KEPT = 1000
"""A right password is remembered (as a keyed hash) for so long, so that whoever asks each second costs little."""


def hash_password(password: str) -> str:
    """`scrypt$N$R$P$SALT$HASH`. Slow by intent."""
    salt = secrets.token_bytes(16)
    return _spelled(salt, _scrypt(password, salt, N, R, P))


def _spelled(salt: bytes, made: bytes) -> str:
    return f"scrypt${N}${R}${P}${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"


def is_password(password: str, hashed: str) -> bool:
    """Whether `hashed` was made of this password. Slow by intent; False for what is no hash of ours."""
    try:
        name, n, r, p, salt, expected = hashed.split("$")
        made = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p))
        return name == "scrypt" and hmac.compare_digest(made, base64.b64decode(expected))
    except ValueError:
        return False


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=n, r=r, p=p, maxmem=MEMORY, dklen=32)


class PasswordChecker:
    """Checks passwords in one thread: a flood of them costs one core at most, and never the loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "k12ai-password")
        self._waiting = 0
        self._key = secrets.token_bytes(32)
        self._nobody = _spelled(secrets.token_bytes(16), secrets.token_bytes(32))
        self._kept: dict[bytes, float] = {}

    async def check(self, password: str, hashed: str | None) -> bool:
        """Whether it is the password that `hashed` was made of. None: there is no such user, which takes as long.

        Raises Refusal (100108) where too many wait.
        """
        loop = asyncio.get_running_loop()
        mark = hashlib.blake2b(f"{hashed}\0{password}".encode("utf-8", "surrogatepass"), key=self._key).digest()
        if hashed is not None and self._kept.get(mark, 0.0) > loop.time():
            return True
        if self._waiting >= MOST_WAITING:
            raise refuse(Code.TOO_MANY, f"{self._waiting} passwords are being checked: try again", retry_after_s=2)
        self._waiting += 1
        try:
            good = await loop.run_in_executor(self._thread, self._check, password, hashed)
        finally:
            self._waiting -= 1
        if good:
            while len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[mark] = loop.time() + KEPT_S
        return good

    def _check(self, password: str, hashed: str | None) -> bool:
        return is_password(password, self._nobody if hashed is None else hashed) and hashed is not None

    def close(self) -> None:
        """Waits for nothing."""
        self._thread.shutdown(wait=False, cancel_futures=True)
