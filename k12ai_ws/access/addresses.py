"""Where a request comes from: the address of its client, also behind proxies, and what counts as this machine."""

import ipaddress
from collections.abc import Iterable, Mapping

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
UNKNOWN = "unknown"
"""A peer without an IP address (a Unix socket): all of them count as one."""
SUBSCRIBER_BITS = 64
"""An IPv6 subscriber has a whole network of so many bits' prefix, and may take a new address for each connection."""
MAX_HOPS = 32
"""Proxies of an X-Forwarded-For that are looked at; a longer one is somebody's joke."""


def parsed(text: str) -> Address | None:
    """The address, an IPv4 one in IPv6's clothes as itself; None for what is none."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def names_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own alone."""
    return host.lower() == "localhost" or is_loopback(host.strip("[]"))


def counted_as(address: str) -> str:
    """The name under which an address counts: an IPv6 address as its network.

    >>> counted_as("::ffff:192.0.2.7"), counted_as("2001:db8::7")
    ('192.0.2.7', '2001:db8::/64')
    """
    found = parsed(address)
    if found is None:
        return UNKNOWN
    if isinstance(found, ipaddress.IPv6Address) and not found.is_loopback:
        return str(ipaddress.ip_network((found, SUBSCRIBER_BITS), strict=False))
    return str(found)


def is_loopback(text: str) -> bool:
    """Whether only this machine can reach the address.

    >>> is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    found = parsed(text)
    return found is not None and found.is_loopback


class Proxies:
    """The proxies whose word about a client is believed."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        """Raises ValueError for what is no address or network."""
        self._trusted = tuple(ipaddress.ip_network(text, strict=False) for text in trusted)

    def __bool__(self) -> bool:
        return bool(self._trusted)

    def trusts(self, address: str) -> bool:
        """Whether it is one of them."""
        found = parsed(address)
        return found is not None and any(found in network for network in self._trusted)

    def client(self, peer: str, headers: Mapping[str, str]) -> str:
        """Who sent a request with these headers.

        That is the peer, or the last address in X-Forwarded-For that is no trusted proxy's. An entry that is no address
        ends the search: the proxy before it is as far as anybody can be believed.
        """
        found = peer
        forwarded = headers.get("X-Forwarded-For", "").split(",")[-MAX_HOPS:]
        while forwarded and self.trusts(found):
            entry = parsed(_without_port(forwarded.pop().strip()))
            if entry is None:
                break
            found = str(entry)
        return found

    def is_secure(self, peer: str, headers: Mapping[str, str], protocol: str) -> bool:
        """Whether the client's end of the line is encrypted: by our own TLS, or as a trusted proxy says."""
        if protocol == "https":
            return True
        return self.trusts(peer) and headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower() == "https"


def _without_port(entry: str) -> str:
    """`192.0.2.7:4711` and `[2001:db8::7]:4711`, as some proxies write them."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
