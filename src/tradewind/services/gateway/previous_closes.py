"""Closing prices of the day before, from the stored bars.

A close of a session is the close of the last bar that ended by the session's end, however long before that was: a price
stands until the next one. It does not change any more, so each is read once a symbol and day.
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.calendar import SessionCalendar
from tradewind.domain.market.timeframe import Timeframe
from tradewind.operations.logging import get_logger
from tradewind.ports.clock import Clock
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.market_data import BarStore
from tradewind.services.gateway.mark_prices import MarkPriceReader

SETTLED_AFTER_NS = 60_000_000_000
"""So long after a session's end its last bar, and executions just before it, may still be on their way to the store."""
STORE_TIMEOUT_S = 2.0
"""A store that takes longer counts as away."""

_log = get_logger(__name__)


class PreviousCloses:
    """Reads closes from bars of one timeframe: the finest one that the market's feed has for every symbol."""

    def __init__(
        self,
        bars: BarStore,
        timeframe: str,
        calendar: SessionCalendar,
        marks: MarkPriceReader,
        clock: Clock,
    ) -> None:
        self._bars = bars
        self._timeframe = timeframe
        self._duration_ns = Timeframe.parse(timeframe).duration_ns
        self._calendar = calendar
        self._marks = marks
        self._clock = clock
        self._known: dict[Symbol, tuple[int, Decimal]] = {}
        """At most one entry an instrument: its last session end that was asked about, and the close then."""

    async def of_market(self, symbols: list[Symbol]) -> dict[Symbol, Decimal]:
        """For each symbol the close before the session that its latest price belongs to, where the store gives one.

        Sessions are told by the market's own time, which on a replay is long past. Raises `BusUnavailable`.
        """
        times_ns = await self._marks.times_ns()
        now_ns = self._clock.now_ns()
        return await self._read(
            {symbol: self._calendar.previous_close_ns(times_ns.get(symbol, now_ns)) for symbol in symbols}
        )

    async def at(self, symbols: list[Symbol], close_ns: int) -> dict[Symbol, Decimal]:
        """The closes at the end `close_ns` of a session of the wall clock, of the symbols whose market keeps its time.

        A market whose latest price is older than that does not (a replay): what bars say about `close_ns` did not
        happen to the account, and its symbols are left out. Raises as `of_market`.
        """
        times_ns = await self._marks.times_ns()
        return await self._read(
            {symbol: close_ns for symbol in symbols if times_ns.get(symbol, 0) >= close_ns}
        )

    async def _read(self, closes_ns: Mapping[Symbol, int]) -> dict[Symbol, Decimal]:
        found: dict[Symbol, Decimal] = {}
        missing: dict[int, list[Symbol]] = {}
        for symbol, close_ns in closes_ns.items():
            known_ns, price = self._known.get(symbol, (None, Decimal(0)))
            if known_ns == close_ns:
                found[symbol] = price
            else:
                missing.setdefault(close_ns, []).append(symbol)
        for close_ns, symbols in missing.items():
            # The last that may start is the one that ends at the session's end.
            before_ns = close_ns - self._duration_ns + 1
            closes = await self._stored(symbols, before_ns)
            found.update(closes)
            if self._clock.now_ns() - close_ns >= SETTLED_AFTER_NS:
                self._known.update({symbol: (close_ns, price) for symbol, price in closes.items()})
        return found

    async def _stored(self, symbols: list[Symbol], before_ns: int) -> dict[Symbol, Decimal]:
        """The closes in the store; none while it is away, for an account must be seen without it."""
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                bars = await self._bars.last_bars(symbols, self._timeframe, before_ns)
        except (StoreUnavailable, TimeoutError) as error:
            _log.warning("closing prices are not known: the bar store is away", error=str(error))
            return {}
        return {symbol: bar.close for symbol, bar in bars.items()}
