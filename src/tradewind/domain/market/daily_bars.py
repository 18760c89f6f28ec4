"""Builds each day's bar so far from the minute bars of the day, as Alpaca's streams tell it.

From minute bars and not from trades, so that a day goes on after a restart: its minutes up to then are stored.
"""

from collections.abc import Iterable

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.average_price import volume_weighted_average
from tradewind.domain.market.ticks import Bar, DailyBar
from tradewind.domain.market.timeframe import Timeframe

DAY = Timeframe(1, "Day")
MINUTE_TIMEFRAME = "1Min"
"""Bars of this timeframe make the days; others are ignored."""


class _Day:
    """One symbol's day; `value` is the traded value, from which the average price follows."""

    __slots__ = ("close", "high", "low", "open", "start_ns", "trade_count", "value", "volume")

    def __init__(self, first: Bar, start_ns: int) -> None:
        self.start_ns = start_ns
        self.open, self.high, self.low, self.close = first.open, first.high, first.low, first.close
        self.volume = first.volume
        self.value = first.vwap * first.volume
        self.trade_count = first.trade_count

    def add(self, minute: Bar) -> None:
        self.high = max(self.high, minute.high)
        self.low = min(self.low, minute.low)
        self.close = minute.close
        self.volume += minute.volume
        self.value += minute.vwap * minute.volume
        self.trade_count += minute.trade_count

    def so_far(self, symbol: Symbol) -> DailyBar:
        return DailyBar(
            symbol=symbol,
            start_ns=self.start_ns,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            volume=self.volume,
            trade_count=self.trade_count,
            vwap=volume_weighted_average(self.value, self.volume, self.close),
        )


class DailyBars:
    """The running day of every symbol; holds one small record a symbol."""

    def __init__(self, earlier: Iterable[Bar] = ()) -> None:
        """`earlier` are minute bars of the days that run, oldest first within a symbol."""
        self._days: dict[Symbol, _Day] = {}
        for bar in earlier:
            self.on_bar(bar)

    def on_bar(self, bar: Bar) -> DailyBar | None:
        """Take a finished bar, in the order of time; the day so far if it was one of a minute, else None."""
        if bar.timeframe != MINUTE_TIMEFRAME:
            return None
        start_ns = DAY.start_of(bar.start_ns)
        day = self._days.get(bar.symbol)
        if day is None or day.start_ns != start_ns:
            day = self._days[bar.symbol] = _Day(bar, start_ns)
        else:
            day.add(bar)
        return day.so_far(bar.symbol)
