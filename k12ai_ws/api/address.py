"""Whose request it is: the peer's address, or behind a trusted proxy the one that the proxy names."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from tornado.httputil import HTTPServerRequest

UNKNOWN = "unknown"
"""A peer without an IP address (a Unix socket): all of them count as one."""
SUBSCRIBER_BITS = 64
"""An IPv6 subscriber has a whole network of so many bits' prefix, and may take a new address for each connection."""
MAX_HOPS = 32
"""Proxies of an X-Forwarded-For that are looked at; a longer one is somebody's joke."""


class Addresses:
    """Tells clients apart for the limits per address.

    `trusted` are the proxies (addresses or networks, `server.trusted_proxies`) whose X-Forwarded-For is believed.
    """

    def __init__(self, trusted: Sequence[str]) -> None:
        self._trusted = tuple(ip_network(one, strict=False) for one in trusted)

    def trusts(self, peer: str) -> bool:
        """Whether this peer is a proxy of the operator's, whose connections are many clients'."""
        try:
            address = _plain(peer)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)

    def of(self, request: HTTPServerRequest) -> str:
        """Who sent it, as `counted_as` names addresses."""
        return self.client(request.remote_ip or UNKNOWN, request.headers)

    def client(self, peer: str, headers: Mapping[str, str]) -> str:
        """Who sent a request with these headers.

        That is the peer, or the last address in X-Forwarded-For that is no trusted proxy's. An entry that is no address
        ends the search: the proxy before it is as far as anybody can be believed.
        """
        found = peer
        forwarded = headers.get("X-Forwarded-For", "").split(",")[-MAX_HOPS:]
        while forwarded and self.trusts(found):
            entry = _without_port(forwarded.pop().strip())
            try:
                found = str(_plain(entry))
            except ValueError:
                break
        return counted_as(found)


def counted_as(address: str) -> str:
    """The name under which an address counts: an IPv6 address as its network.

    >>> counted_as("::ffff:192.0.2.7"), counted_as("2001:db8::7")
    ('192.0.2.7', '2001:db8::/64')
    """
    try:
        plain = _plain(address)
    except ValueError:
        return UNKNOWN
    if isinstance(plain, IPv6Address) and not plain.is_loopback:
        return str(ip_network((plain, SUBSCRIBER_BITS), strict=False))
    return str(plain)


def _plain(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text.partition("%")[0])
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _without_port(entry: str) -> str:
    """`192.0.2.7:4711` and `[2001:db8::7]:4711`, as some proxies write them."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
