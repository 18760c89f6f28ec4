"""Alpaca's market-data streams (`/v2/{feed}`, `/v1beta3/crypto/us`): trades, quotes and bars by subscription.

Bars are those of one minute; daily bars tell the day so far with each of them. Further channels are taken and kept, but
nothing is sent on them: see `subscriptions`.
"""

import asyncio
from collections.abc import Mapping
from enum import Enum

import msgspec
from picows import WSCloseCode

from tradewind.operations.logging import get_logger
from tradewind.ports.authentication import Authenticator, NotAuthenticated
from tradewind.ports.errors import Overloaded, StoreUnavailable
from tradewind.ports.stream_formats import MalformedMessage, MarketDataFormat
from tradewind.services.websocket.connection import AUTH_TIMEOUT, SLOW_CLIENT, Connection, Work
from tradewind.services.websocket.credentials import headers_of_key
from tradewind.services.websocket.limits import StreamLimits
from tradewind.services.websocket.market_hub import MarketHub
from tradewind.services.websocket.subscriptions import Feed, Subscriptions, TooManySymbols, UnknownChannel

_log = get_logger(__name__)


class StreamError(Enum):
    """Numbered errors of Alpaca's data streams."""

    INVALID_SYNTAX = (400, "invalid syntax")
    NOT_AUTHENTICATED = (401, "not authenticated")
    AUTH_FAILED = (402, "auth failed")
    ALREADY_AUTHENTICATED = (403, "already authenticated")
    AUTH_TIMEOUT = (404, AUTH_TIMEOUT)
    SYMBOL_LIMIT = (405, "symbol limit exceeded")
    SLOW_CLIENT = (407, SLOW_CLIENT)
    INVALID_CHANNEL = (410, "invalid subscribe action for this feed")
    INTERNAL = (500, "internal error")


_NOTICES = {AUTH_TIMEOUT: StreamError.AUTH_TIMEOUT, SLOW_CLIENT: StreamError.SLOW_CLIENT}

_Symbols = list[str] | None


class _Request(msgspec.Struct, rename="camel"):
    """Any message of a client; channels that are absent, null or empty are left alone."""

    action: str
    key: str | None = None
    secret: str | None = None
    trades: _Symbols = None
    quotes: _Symbols = None
    bars: _Symbols = None
    updated_bars: _Symbols = None
    daily_bars: _Symbols = None
    statuses: _Symbols = None
    lulds: _Symbols = None
    corrections: _Symbols = None
    cancel_errors: _Symbols = None
    orderbooks: _Symbols = None
    news: _Symbols = None
    imbalances: _Symbols = None


_CHANNEL_FIELDS = _Request.__struct_fields__[3:]
_CHANNELS = tuple(zip(_CHANNEL_FIELDS, _Request.__struct_encode_fields__[3:], strict=True))


class MarketSession:
    """The protocol of one client of a market-data stream."""

    def __init__(
        self,
        connection: Connection,
        codec: MarketDataFormat,
        feed: Feed,
        authenticator: Authenticator,
        hub: MarketHub,
        limits: StreamLimits,
        upgrade_credentials: Mapping[str, str],
    ) -> None:
        self._connection = connection
        self._codec = codec
        self._authenticator = authenticator
        self._hub = hub
        self._limits = limits
        self._upgrade_credentials = upgrade_credentials
        self._subscriptions = Subscriptions(feed, limits.symbols_max)
        self._is_authenticated = False

    @property
    def is_authenticated(self) -> bool:
        """Whether the client proved who it is."""
        return self._is_authenticated

    def opened(self) -> Work | None:
        """Greet, and check the credentials that came with the upgrade, if any did."""
        self._send({"T": "success", "msg": "connected"})
        return self._log_in(self._upgrade_credentials) if self._upgrade_credentials else None

    def received(self, message: bytes) -> Work | None:
        """Obey a request, or answer with an error."""
        try:
            request = self._codec.decode(message, _Request)
        except MalformedMessage:
            self._send_error(StreamError.INVALID_SYNTAX)
            return None
        if request.action == "auth":
            if not self._is_authenticated:
                return self._log_in(headers_of_key(request.key or "", request.secret or ""))
            self._send_error(StreamError.ALREADY_AUTHENTICATED)
        elif not self._is_authenticated:
            self._send_error(StreamError.NOT_AUTHENTICATED)
        else:
            self._change_subscriptions(request)
        return None

    def closed(self) -> None:
        """Want nothing any more."""
        self._hub.remove(self._connection)

    def notice(self, reason: str) -> bytes | None:
        """The error message of the reason."""
        error = _NOTICES.get(reason)
        return None if error is None else self._codec.encode_control(_error_fields(error))

    def _change_subscriptions(self, request: _Request) -> None:
        channels = _channels(request)
        if any(
            len(symbol) > self._limits.symbol_length_max for names in channels.values() for symbol in names
        ):
            self._send_error(StreamError.INVALID_SYNTAX)
            return
        try:
            if request.action == "subscribe":
                self._subscriptions.add(channels)
            elif request.action == "unsubscribe":
                self._subscriptions.remove(channels)
            else:
                self._send_error(StreamError.INVALID_SYNTAX)
                return
        except TooManySymbols:
            self._send_error(StreamError.SYMBOL_LIMIT)
            return
        except UnknownChannel:
            self._send_error(StreamError.INVALID_CHANNEL)
            return
        # The answer goes out before the first event that the new state lets through.
        self._send({"T": "subscription", **self._subscriptions.state()})
        self._hub.set_interest(self._connection, self._subscriptions.interest(), self._codec)

    async def _log_in(self, headers: Mapping[str, str]) -> None:
        try:
            await self._authenticator.authenticate(headers)
        except NotAuthenticated:
            await asyncio.sleep(self._limits.auth_failure_delay_s)
            self._send_error(StreamError.AUTH_FAILED)
            self._connection.close(WSCloseCode.POLICY_VIOLATION, "auth failed")
        except (StoreUnavailable, Overloaded) as error:
            _log.warning("credentials cannot be checked", error=str(error))
            self._send_error(StreamError.INTERNAL)
            self._connection.close(WSCloseCode.TRY_AGAIN_LATER, "try again later")
        else:
            self._is_authenticated = True
            self._send({"T": "success", "msg": "authenticated"})

    def _send_error(self, error: StreamError) -> None:
        self._send(_error_fields(error))

    def _send(self, fields: Mapping[str, object]) -> None:
        self._connection.send(self._codec.encode_control(fields))


def _channels(request: _Request) -> dict[str, list[str]]:
    named = {channel: getattr(request, field) for field, channel in _CHANNELS}
    return {channel: symbols for channel, symbols in named.items() if symbols}


def _error_fields(error: StreamError) -> dict[str, object]:
    code, message = error.value
    return {"T": "error", "code": code, "msg": message}
