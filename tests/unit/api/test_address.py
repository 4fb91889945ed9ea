"""Whose request it is: only a trusted proxy is believed, and only as far as the first one that is not."""

import pytest

from k12ai_ws.api.address import UNKNOWN, Addresses, counted_as

TRUSTED = ("10.0.0.0/8", "192.0.2.1", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.7", None, "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),  # a stranger who says that he is another
        ("10.1.2.3", None, "10.1.2.3"),
        ("10.1.2.3", "203.0.113.9", "203.0.113.9"),
        ("10.1.2.3", " 203.0.113.9 ", "203.0.113.9"),
        ("10.1.2.3", "1.2.3.4, 203.0.113.9", "203.0.113.9"),  # what stands before is the client's own word
        ("10.1.2.3", "203.0.113.9, 192.0.2.1", "203.0.113.9"),  # two proxies of ours
        ("10.1.2.3", "10.9.9.9, 192.0.2.1", "10.9.9.9"),  # one of our own calls
        ("10.1.2.3", "rubbish", "10.1.2.3"),
        ("10.1.2.3", "203.0.113.9, rubbish, 192.0.2.1", "192.0.2.1"),
        ("10.1.2.3", "", "10.1.2.3"),
        ("10.1.2.3", ",,,", "10.1.2.3"),
        ("10.1.2.3", "203.0.113.9:4711", "203.0.113.9"),
        ("10.1.2.3", "[2001:db8:1:2::9]:4711", "2001:db8:1:2::/64"),
        ("10.1.2.3", "2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fd00::1", "203.0.113.9", "203.0.113.9"),
        ("::ffff:10.1.2.3", "203.0.113.9", "203.0.113.9"),  # a proxy that comes by a socket for both versions
        ("192.0.2.2", "203.0.113.9", "192.0.2.2"),
        ("10.1.2.3", ", ".join(["203.0.113.9"] + ["10.0.0.1"] * 10_000), "10.0.0.1"),
    ],
)
def test_who_it_is(peer: str, forwarded: str | None, client: str) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    assert Addresses(TRUSTED).client(peer, headers) == client


def test_nobody_is_trusted_by_default() -> None:
    assert Addresses(()).client("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}) == "127.0.0.1"
    assert not Addresses(()).trusts("127.0.0.1")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", UNKNOWN),
        ("/run/k12ai.sock", UNKNOWN),
    ],
)
def test_how_an_address_counts(address: str, name: str) -> None:
    assert counted_as(address) == name
