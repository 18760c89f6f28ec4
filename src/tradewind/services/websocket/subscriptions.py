"""What one client of a market-data stream asked for.

Channels on which nothing can happen here are taken and told back as asked, since clients expect their whole state in
every answer; nothing is ever sent on them. These are statuses, price bands, order books, corrections and cancellations
of trades, which no feed here has, and updated bars: a bar that was sent is final, because late trades do not enter it.
"""

from collections.abc import Collection, Mapping
from enum import Enum

import msgspec

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.ticks import Bar, DailyBar, MarketEvent, Quote, Trade

WILDCARD = "*"
STREAMED_TIMEFRAME = "1Min"
"""Bars of this timeframe alone are sent on the channel `bars`."""

_IMPLIED_BY_TRADES = ("corrections", "cancelErrors")


class Feed(Enum):
    """A market-data stream, and its channels in the order in which the state is told."""

    STOCKS = (
        "trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "corrections", "cancelErrors",
    )  # fmt: skip
    CRYPTO = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "orderbooks")

    def carries(self, symbol: Symbol) -> bool:
        """Whether the symbol belongs to this stream: pairs, written with a slash, are crypto."""
        return ("/" in symbol) is (self is Feed.CRYPTO)


class Interest(msgspec.Struct, frozen=True):
    """The symbols that a client wants, by channel: equal for all who want the same, who then share their messages."""

    feed: Feed
    trades: frozenset[Symbol]
    quotes: frozenset[Symbol]
    bars: frozenset[Symbol]
    daily_bars: frozenset[Symbol]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is wanted."""
        return not (self.trades or self.quotes or self.bars or self.daily_bars)

    def covers(self, event: MarketEvent) -> bool:
        """Whether the event is wanted."""
        symbols: frozenset[Symbol]
        match event:
            case Quote():
                symbols = self.quotes
            case Trade():
                symbols = self.trades
            case Bar():
                symbols = self.bars if event.timeframe == STREAMED_TIMEFRAME else frozenset()
            case DailyBar():
                symbols = self.daily_bars
        if event.symbol in symbols:
            return self.feed.carries(event.symbol)
        return WILDCARD in symbols and self.feed.carries(event.symbol)


class TooManySymbols(Exception):
    """A subscription would go beyond the bound; it was not applied."""


class UnknownChannel(Exception):
    """The stream has no such channel; nothing was applied."""


class Subscriptions:
    """The symbols of each channel, in the order in which the client named them."""

    def __init__(self, feed: Feed, symbols_max: int) -> None:
        self._feed = feed
        self._symbols_max = symbols_max
        self._channels: dict[str, dict[Symbol, None]] = {channel: {} for channel in feed.value}

    def add(self, wanted: Mapping[str, Collection[Symbol]]) -> None:
        """Subscribe; raises `TooManySymbols`, `UnknownChannel`."""
        self._require_known(wanted)
        added = {
            channel: dict.fromkeys([*self._channels[channel], *symbols])
            for channel, symbols in wanted.items()
        }
        after = {**self._channels, **added}
        self._imply(after)
        if sum(len(symbols) for symbols in after.values()) > self._symbols_max:
            raise TooManySymbols
        self._channels = after

    def remove(self, unwanted: Mapping[str, Collection[Symbol]]) -> None:
        """Unsubscribe; what was not subscribed is ignored. Raises `UnknownChannel`."""
        self._require_known(unwanted)
        for channel, symbols in unwanted.items():
            for symbol in symbols:
                self._channels[channel].pop(symbol, None)
        self._imply(self._channels)

    def state(self) -> dict[str, list[Symbol]]:
        """Every channel of the stream, the empty ones too."""
        return {channel: list(symbols) for channel, symbols in self._channels.items()}

    def interest(self) -> Interest:
        """What of it can be sent."""
        wanted = self._channels
        channels = ("trades", "quotes", "bars", "dailyBars")
        return Interest(self._feed, *(frozenset(wanted[channel]) for channel in channels))

    def _require_known(self, channels: Mapping[str, Collection[Symbol]]) -> None:
        for channel in channels:
            if channel not in self._channels:
                raise UnknownChannel(channel)

    def _imply(self, channels: dict[str, dict[Symbol, None]]) -> None:
        for implied in _IMPLIED_BY_TRADES:
            if implied in channels:
                channels[implied] = dict(channels["trades"])
