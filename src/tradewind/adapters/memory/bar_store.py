"""Bars in memory, for tests and short-lived runs."""

from collections.abc import Mapping, Sequence

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.ticks import Bar
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.market_data import BarCoverage


class MemoryBarStore:
    """Implements `tradewind.ports.market_data.BarStore`; `is_available = False` makes every call fail."""

    def __init__(self) -> None:
        self.is_available = True
        self._series: dict[tuple[Symbol, str], dict[int, Bar]] = {}

    async def write_bars(self, bars: Sequence[Bar]) -> None:
        """Store the bars, all or none. Raises `StoreUnavailable`."""
        self._require_available()
        for bar in bars:
            self._series.setdefault((bar.symbol, bar.timeframe), {})[bar.start_ns] = bar

    async def read_bars(
        self, symbol: Symbol, timeframe: str, start_ns: int, end_ns: int, limit: int
    ) -> list[Bar]:
        """At most `limit` bars that start in `[start_ns, end_ns)`, oldest first. Raises `StoreUnavailable`."""
        self._require_available()
        series = self._series.get((symbol, timeframe), {})
        return [series[start] for start in sorted(series) if start_ns <= start < end_ns][:limit]

    async def latest_bars(self, timeframe: str) -> Mapping[Symbol, Bar]:
        """The newest bar of every symbol that has one of this timeframe. Raises `StoreUnavailable`."""
        self._require_available()
        return {
            symbol: series[max(series)]
            for (symbol, kept_timeframe), series in self._series.items()
            if kept_timeframe == timeframe
        }

    async def last_bars(
        self, symbols: Sequence[Symbol], timeframe: str, before_ns: int
    ) -> Mapping[Symbol, Bar]:
        """Of each symbol the newest bar that starts before `before_ns`. Raises `StoreUnavailable`."""
        self._require_available()
        found: dict[Symbol, Bar] = {}
        for symbol in symbols:
            series = self._series.get((symbol, timeframe), {})
            start_ns = max((start for start in series if start < before_ns), default=None)
            if start_ns is not None:
                found[symbol] = series[start_ns]
        return found

    async def delete_bars_before(self, timeframe: str, before_ns: int) -> None:
        """Delete the bars of a timeframe that start before `before_ns`. Raises `StoreUnavailable`."""
        self._require_available()
        kept = {
            (symbol, kept_timeframe): {
                start_ns: bar
                for start_ns, bar in series.items()
                if kept_timeframe != timeframe or start_ns >= before_ns
            }
            for (symbol, kept_timeframe), series in self._series.items()
        }
        self._series = {key: series for key, series in kept.items() if series}

    async def coverage(self) -> Sequence[BarCoverage]:
        """What is stored, by symbol and timeframe. Raises `StoreUnavailable`."""
        self._require_available()
        return [
            BarCoverage(
                symbol=symbol,
                timeframe=timeframe,
                count=len(series),
                first_start_ns=min(series),
                last_start_ns=max(series),
            )
            for (symbol, timeframe), series in sorted(self._series.items())
        ]

    def _require_available(self) -> None:
        if not self.is_available:
            raise StoreUnavailable("the bar store cannot be reached")
