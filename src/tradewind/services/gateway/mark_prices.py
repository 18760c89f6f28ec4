"""The prices at which positions are valued, read from the bus at most every quarter of a second."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from tradewind.domain.identifiers import Symbol
from tradewind.ports.clock import Clock
from tradewind.ports.market_data import MarketDataSubscriber

MAX_AGE_NS = 250_000_000


class MarkPriceReader:
    """The last trade's price of each symbol, else the middle of its quote."""

    def __init__(self, market_data: MarketDataSubscriber, clock: Clock) -> None:
        self._market_data = market_data
        self._clock = clock
        self._prices: Mapping[Symbol, Decimal] = {}
        self._times_ns: Mapping[Symbol, int] = {}
        self._read_ns: int | None = None
        self._reading = asyncio.Lock()

    async def current(self) -> Mapping[Symbol, Decimal]:
        """Prices that are at most `MAX_AGE_NS` old here. Raises `BusUnavailable`."""
        await self._refresh()
        return self._prices

    async def times_ns(self) -> Mapping[Symbol, int]:
        """When the last quote or trade of each symbol happened, by the market's own time. Raises `BusUnavailable`."""
        await self._refresh()
        return self._times_ns

    async def _refresh(self) -> None:
        if self._is_fresh():
            return
        async with self._reading:
            if not self._is_fresh():
                await self._read()

    def _is_fresh(self) -> bool:
        return self._read_ns is not None and self._clock.now_ns() - self._read_ns < MAX_AGE_NS

    async def _read(self) -> None:
        quotes = await self._market_data.latest_quotes()
        trades = await self._market_data.latest_trades()
        prices = {symbol: quote.mid_price for symbol, quote in quotes.items()}
        prices.update({symbol: trade.price for symbol, trade in trades.items()})
        times = {symbol: quote.ts_ns for symbol, quote in quotes.items()}
        times.update({symbol: max(trade.ts_ns, times.get(symbol, 0)) for symbol, trade in trades.items()})
        self._prices, self._times_ns = prices, times
        self._read_ns = self._clock.now_ns()
