"""Whose request it is: the peer's address, or behind a trusted proxy the one that the proxy names."""

from collections.abc import Mapping

from tornado.httputil import HTTPServerRequest

from k12ai_ws.access.addresses import UNKNOWN, Proxies, counted_as

__all__ = ["UNKNOWN", "Addresses", "counted_as"]


class Addresses(Proxies):
    """Tells clients apart for the limits per address."""

    def of(self, request: HTTPServerRequest) -> str:
        """Who sent it, as `counted_as` names addresses."""
        return self.client(request.remote_ip or UNKNOWN, request.headers)

    def client(self, peer: str, headers: Mapping[str, str]) -> str:
        """Who sent a request with these headers, as `counted_as` names addresses."""
        return counted_as(super().client(peer, headers))
