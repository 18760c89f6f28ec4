"""Market data on the move and at rest."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import msgspec

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.ticks import Bar, MarketEvent, Quote, Trade


class BarCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many bars of a symbol and timeframe are stored, and from when to when (starts, inclusive)."""

    symbol: Symbol
    timeframe: str
    count: int
    first_start_ns: int
    last_start_ns: int


class MarketDataPublisher(Protocol):
    """The side of a feed."""

    async def publish(self, events: Sequence[MarketEvent]) -> None:
        """Send the events to every subscriber, in order, and remember the latest of each kind and symbol.

        Raises `BusUnavailable`.
        """
        ...


class MarketDataSubscriber(Protocol):
    """The side of those who watch. Market data is best effort: a slow or cut-off subscriber misses some."""

    def subscribe(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Batches of events from now on, until closed; survives a lost connection by reconnecting."""
        ...

    async def latest_quotes(self) -> Mapping[Symbol, Quote]:
        """The latest quote of every symbol."""
        ...

    async def latest_trades(self) -> Mapping[Symbol, Trade]:
        """The latest trade of every symbol."""
        ...


class BarStore(Protocol):
    """Keeps bars. A bar written again (same symbol, timeframe and start) replaces the old one."""

    async def write_bars(self, bars: Sequence[Bar]) -> None:
        """Store the bars. Raises `StoreUnavailable`; then some may be stored: write them all again."""
        ...

    async def read_bars(
        self, symbol: Symbol, timeframe: str, start_ns: int, end_ns: int, limit: int
    ) -> list[Bar]:
        """At most `limit` bars that start in `[start_ns, end_ns)`, oldest first. Raises `StoreUnavailable`."""
        ...

    async def latest_bars(self, timeframe: str) -> Mapping[Symbol, Bar]:
        """The newest bar of every symbol that has one of this timeframe. Raises `StoreUnavailable`."""
        ...

    async def last_bars(
        self, symbols: Sequence[Symbol], timeframe: str, before_ns: int
    ) -> Mapping[Symbol, Bar]:
        """Of each symbol the newest bar that starts before `before_ns`; without symbols that have none.

        Raises `StoreUnavailable`.
        """
        ...

    async def delete_bars_before(self, timeframe: str, before_ns: int) -> None:
        """Delete the bars of a timeframe that start before `before_ns`.

        Raises `StoreUnavailable`, and `Refused` where the store cannot delete.
        """
        ...

    async def coverage(self) -> Sequence[BarCoverage]:
        """What is stored, by symbol and timeframe. Raises `StoreUnavailable`."""
        ...
