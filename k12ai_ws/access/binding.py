"""Where the server may listen: on loopback as it likes; elsewhere only with tokens, and with TLS in front of them."""

from collections.abc import Iterable

from .addresses import is_loopback


class UnsafeBinding(Exception):
    """The server must not listen there like this; the text says what to do."""


def is_exposed(addresses: Iterable[str]) -> bool:
    """Whether another machine can reach one of the addresses that the server listens on."""
    return not all(is_loopback(address) for address in addresses)


def require_safe(host: str, *, mode: str, lets_anybody_in: bool, has_tls: bool, has_proxies: bool) -> None:
    """Raises UnsafeBinding where a server that others can reach would let strangers in, or show its tokens to the wire.

    `lets_anybody_in`: there is a token or a user. Says all that is missing at once.
    """
    missing = []
    if mode == "off":
        missing.append('take access.mode = "off" back: anybody could start jobs here')
    if not lets_anybody_in:
        missing.append("make a token first, with `k12ai token create --admin` (and the same --data-dir or --config)")
    if not (has_tls or has_proxies):
        missing.append(
            "set server.tls_cert and server.tls_key or, where a proxy with TLS stands in front, set "
            "server.trusted_proxies to its address: without TLS everybody on the way reads the tokens"
        )
    if missing:
        steps = "".join(f"\n  - {step}" for step in missing)
        raise UnsafeBinding(
            f"{host} can be reached from other machines, and the server would not be safe there. Listen on 127.0.0.1, "
            f"or:{steps}\ndocs/security.md tells more"
        )
