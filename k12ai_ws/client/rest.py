"""The client's REST side: one request, one envelope."""

import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from .errors import ProtocolError, Unreachable, refusal
from .message import Message, NotAnEnvelope

MAX_ANSWER_BYTES = 256 << 20
"""Largest answer read into memory; a page of 1,000 events with long tracebacks is the largest there is."""


class AddressError(ValueError):
    """The server's address cannot be used; the text says what would be right."""


class TokenError(ValueError):
    """What was given as a token cannot be one; the text does not repeat it."""


def bearer(token: str | None) -> dict[str, str]:
    """The header that carries the token; none for None. Raises TokenError for what no header can carry."""
    if token is None:
        return {}
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise TokenError("this is no token: give the one line, k12ai_..., that `k12ai token create` printed")
    return {"Authorization": f"Bearer {token}"}


def normal_address(address: str) -> str:
    """`address` as `http://HOST:PORT`, without a slash at the end. Raises AddressError.

    >>> normal_address("localhost:8170"), normal_address("https://school.example/ai/")
    ('http://localhost:8170', 'https://school.example/ai')
    """
    full = address.strip() if "://" in address else f"http://{address.strip()}"
    example = "give one like http://127.0.0.1:8170"
    try:
        parts = urlsplit(full)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError as e:
        raise AddressError(f"{address!r} is no server address ({e}); {example}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise AddressError(f"{address!r} is no server address; {example}")
    return full.rstrip("/")


def reason_of(error: BaseException) -> str:
    """Why a connection failed, in a few words."""
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, socket.gaierror):
        return "the host name is unknown"
    if isinstance(error, HTTPClientError):
        return "no answer in time" if "imeout" in str(error.message) else str(error.message)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


class Rest:
    """Sends requests to the server at `address`. `headers` go with every one of them."""

    def __init__(self, address: str, headers: Mapping[str, str], timeout_s: float) -> None:
        self.address = address
        self._headers = dict(headers)
        self._timeout_s = timeout_s
        self._http: SimpleAsyncHTTPClient | None = None

    def close(self) -> None:
        """Gives the connections back."""
        if self._http is not None:
            self._http.close()
            self._http = None

    async def get(self, *path: str, query: Mapping[str, Any] | None = None) -> Message:
        """GET of the path, its parts quoted; what is None in `query` is left out. Raises ClientError."""
        given = {k: v for k, v in (query or {}).items() if v is not None}
        return await self._send("GET", self._url(path) + (f"?{urlencode(given)}" if given else ""))

    async def post(self, *path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Message:
        """POST of `body` as JSON. Raises ClientError, and TypeError for what JSON cannot carry."""
        return await self._send("POST", self._url(path), orjson.dumps(body), headers or {})

    def _url(self, path: tuple[str, ...]) -> str:
        return "/".join((self.address, *(quote(part, safe="") for part in path)))

    async def _send(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Message:
        if self._http is None:
            self._http = SimpleAsyncHTTPClient(force_instance=True, max_buffer_size=MAX_ANSWER_BYTES)
        request = HTTPRequest(
            url,
            method,
            {**self._headers, "Content-Type": "application/json", **(headers or {})},
            body,
            connect_timeout=min(10.0, self._timeout_s),
            request_timeout=self._timeout_s,
            follow_redirects=False,
        )
        try:
            response = await self._http.fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as e:  # Tornado raises its own time-outs whatever raise_error says
            raise Unreachable(self.address, reason_of(e)) from e
        return self._message(response)

    def _message(self, response: HTTPResponse) -> Message:
        try:
            message = Message.parse(response.body)
        except NotAnEnvelope as e:
            raise ProtocolError(
                f"what answers at {self.address} (HTTP {response.code}) is no k12ai server: {e}; check the address"
            ) from e
        if message.type == "error":
            raise refusal(message, response.code)
        return message
