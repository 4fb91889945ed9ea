"""Places: how many of a kind (connections, requests, streams) there may be, in all and of one address."""

from collections import Counter
from dataclasses import dataclass

from k12ai_ws.access.addresses import names_loopback
from k12ai_ws.settings import Settings
from k12ai_ws.wire.codes import Code
from k12ai_ws.wire.requests import refuse

from .address import Addresses

SHARE = 4
"""Where strangers may call and the settings do not say, one address may take a quarter of all places."""


class Places:
    """Counts who is in, and refuses more than `most` in all and `most_each` of one address (None: as many as in all).

    `what` says in the plural what is counted, `setting` which setting holds `most`; `{setting}_per_address` holds
    `most_each`.
    """

    def __init__(self, what: str, setting: str, most: int, most_each: int | None) -> None:
        self._what = what
        self._setting = setting
        self._most = most
        self._most_each = most if most_each is None else most_each
        self._taken = 0
        self._of: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._taken

    def enter(self, address: str | None) -> None:
        """Takes a place. Raises Refusal (100108) where there is none. An address of None counts in all only."""
        if self._taken >= self._most:
            raise refuse(Code.TOO_MANY, f"there are {self._most} {self._what} ({self._setting}); try again later")
        if address is not None and self._of[address] >= self._most_each:
            raise refuse(
                Code.TOO_MANY,
                f"your address {address} has {self._most_each} {self._what} already ({self._setting}_per_address); "
                "end one of them, or try again later",
            )
        self._taken += 1
        if address is not None:
            self._of[address] += 1

    def leave(self, address: str | None) -> None:
        """Gives back a place that was taken."""
        self._taken -= 1
        if address is None:
            return
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]


def require_few(values: int, most: int) -> None:
    """Raises Refusal (100102) where the lists of a filter hold more than `most` values."""
    if values > most:
        raise refuse(
            Code.VALUE_INVALID,
            f"the filter's lists have {values} values, and {most} are allowed (limits.max_filter_values)",
            fields=[{"loc": "filter", "msg": f"at most {most} values in all lists together", "type": "too_long"}],
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """Who calls, and how many may: of each kind one count, for the whole server."""

    addresses: Addresses
    connections: Places
    requests: Places
    channels: Places
    streams: Places

    @classmethod
    def of(cls, settings: Settings, connections: int) -> "Bounds":
        """What the settings say; of connections there is room for so many (`descriptors.room_for`)."""
        server, limits, channel, sse = settings.server, settings.limits, settings.channel, settings.sse

        def places(what: str, setting: str, most: int, most_each: int | None) -> Places:
            if most_each is None and (server.trusted_proxies or not names_loopback(server.host)):
                most_each = max(1, most // SHARE)
            return Places(what, setting, most, most_each)

        return cls(
            addresses=Addresses(server.trusted_proxies),
            connections=places(
                "connections", "limits.max_connections", connections, limits.max_connections_per_address
            ),
            requests=places(
                "requests being handled",
                "server.max_requests_running",
                server.max_requests_running,
                server.max_requests_running_per_address,
            ),
            channels=places(
                "WebSockets", "channel.max_connections", channel.max_connections, channel.max_connections_per_address
            ),
            streams=places("event streams", "sse.max_streams", sse.max_streams, sse.max_streams_per_address),
        )
