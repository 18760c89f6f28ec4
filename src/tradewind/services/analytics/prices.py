"""Closing prices for the points of an equity curve, from whichever stored bars are cheapest to read."""

from bisect import bisect_left
from collections.abc import Sequence

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.ticks import Bar
from tradewind.domain.market.timeframe import Timeframe
from tradewind.domain.performance.equity_curve import Close
from tradewind.ports.clock import Clock
from tradewind.ports.market_data import BarCoverage, BarStore
from tradewind.services.analytics.errors import TooMuchHistory

BARS_MAX = 500_000
"""Most bars that one request may read; more raises `TooMuchHistory`."""

BAR_PAGE_ROWS = 5_000
COVERAGE_TTL_NS = 10_000_000_000
"""How long the answer to "which bars are stored" is used: it costs the store a scan."""

LOOKBACK_FIRST_BARS = 20
LOOKBACKS_MAX = 12
"""A last bar is searched in windows that double, so at most 20 * (2^12 - 1) bar lengths back."""

_LOOKUP_COST_BARS = 50  # one search for a last bar costs about as much as reading this many in a row


class PriceHistory:
    """Reads closes from a bar store."""

    def __init__(self, bars: BarStore, clock: Clock) -> None:
        self._bars = bars
        self._clock = clock
        self._coverage: Sequence[BarCoverage] = ()
        self._coverage_until_ns = 0

    async def closes(
        self, symbols: Sequence[Symbol], times_ns: Sequence[int], step: Timeframe
    ) -> dict[Symbol, list[Close]]:
        """For each symbol with bars the last close at or before each time, oldest first, without repetitions.

        Raises `StoreUnavailable`, `TooMuchHistory`.
        """
        sources = [source for symbol in symbols if (source := await self._source(symbol, step))]
        if sum(min(_range_cost(source, times_ns), _lookup_cost(times_ns)) for source in sources) > BARS_MAX:
            raise TooMuchHistory(f"more than {BARS_MAX} bars: ask for a shorter period or a longer timeframe")
        return {source.symbol: await self._closes_of(source, times_ns) for source in sources}

    async def _source(self, symbol: Symbol, step: Timeframe) -> BarCoverage | None:
        """The coarsest stored bars that are no coarser than the curve's step, else the finest."""
        stored = [coverage for coverage in await self._stored() if coverage.symbol == symbol]
        fine_enough = [coverage for coverage in stored if _duration_ns(coverage) <= step.duration_ns]
        if fine_enough:
            return max(fine_enough, key=_duration_ns)
        return min(stored, key=_duration_ns, default=None)

    async def _stored(self) -> Sequence[BarCoverage]:
        now_ns = self._clock.now_ns()
        if now_ns >= self._coverage_until_ns:
            self._coverage = await self._bars.coverage()
            self._coverage_until_ns = now_ns + COVERAGE_TTL_NS
        return self._coverage

    async def _closes_of(self, source: BarCoverage, times_ns: Sequence[int]) -> list[Close]:
        if _lookup_cost(times_ns) < _range_cost(source, times_ns):
            found = [await self._last_close(source, ts_ns) for ts_ns in times_ns]
            return list(dict.fromkeys(close for close in found if close))
        first = await self._last_close(source, times_ns[0])
        return ([first] if first else []) + await self._closes_between(source, times_ns)

    async def _closes_between(self, source: BarCoverage, times_ns: Sequence[int]) -> list[Close]:
        duration_ns = _duration_ns(source)
        start_ns = times_ns[0] - duration_ns + 1
        end_ns = times_ns[-1] - duration_ns + 1
        last_of_step: dict[int, Close] = {}
        while start_ns < end_ns:
            page = await self._bars.read_bars(
                source.symbol, source.timeframe, start_ns, end_ns, BAR_PAGE_ROWS
            )
            for close in (_close(bar, duration_ns) for bar in page):
                last_of_step[bisect_left(times_ns, close.ts_ns)] = close
            if len(page) < BAR_PAGE_ROWS:
                break
            start_ns = page[-1].start_ns + 1
        return list(last_of_step.values())

    async def _last_close(self, source: BarCoverage, ts_ns: int) -> Close | None:
        """The last close at or before `ts_ns`."""
        duration_ns = _duration_ns(source)
        end_ns = ts_ns - duration_ns + 1
        window_bars = LOOKBACK_FIRST_BARS
        for _ in range(LOOKBACKS_MAX):
            if end_ns <= source.first_start_ns:
                return None
            start_ns = end_ns - window_bars * duration_ns
            bars = await self._bars.read_bars(source.symbol, source.timeframe, start_ns, end_ns, window_bars)
            if bars:
                return _close(bars[-1], duration_ns)
            end_ns = start_ns
            window_bars *= 2
        return None


def _close(bar: Bar, duration_ns: int) -> Close:
    return Close(bar.start_ns + duration_ns, bar.close)


def _duration_ns(coverage: BarCoverage) -> int:
    return Timeframe.parse(coverage.timeframe).duration_ns


def _range_cost(source: BarCoverage, times_ns: Sequence[int]) -> int:
    start_ns = max(times_ns[0], source.first_start_ns)
    span_ns = max(times_ns[-1] - start_ns, 0)
    return min(span_ns // _duration_ns(source), source.count) + _LOOKUP_COST_BARS


def _lookup_cost(times_ns: Sequence[int]) -> int:
    return len(times_ns) * _LOOKUP_COST_BARS
