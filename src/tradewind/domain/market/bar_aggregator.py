"""Builds bars from trades. One aggregator serves the live feed, replay and backtests alike.

A bar belongs to the interval that its trades' times fall into, whatever order they come in. It is complete once the
time (a later trade of its symbol, or `advance`) reaches the interval's end; intervals without a trade give no bar. A
trade for an interval that is already over is late: it changes nothing and is counted in `late_trades`, because
whoever received the bar cannot receive it again.
"""

from collections.abc import Sequence

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.average_price import volume_weighted_average
from tradewind.domain.market.ticks import Bar, Trade
from tradewind.domain.market.timeframe import Timeframe

_NEVER_NS = 1 << 63


class _OpenBar:
    """A bar in the making; `first` and `last` order its trades by time, then by trade id."""

    __slots__ = (
        "close", "end_ns", "first", "high", "last", "low", "open", "start_ns", "trade_count", "value", "volume",
    )  # fmt: skip

    def __init__(self, trade: Trade, start_ns: int, end_ns: int) -> None:
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.first = self.last = (trade.ts_ns, trade.trade_id)
        self.open = self.high = self.low = self.close = trade.price
        self.volume = trade.size
        self.value = trade.price * trade.size
        self.trade_count = 1

    def add(self, trade: Trade) -> None:
        place = (trade.ts_ns, trade.trade_id)
        if place < self.first:
            self.first = place
            self.open = trade.price
        elif place >= self.last:
            self.last = place
            self.close = trade.price
        self.high = max(self.high, trade.price)
        self.low = min(self.low, trade.price)
        self.volume += trade.size
        self.value += trade.price * trade.size
        self.trade_count += 1

    def finished(self, symbol: Symbol, timeframe: str) -> Bar:
        return Bar(
            symbol=symbol,
            timeframe=timeframe,
            start_ns=self.start_ns,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            volume=self.volume,
            trade_count=self.trade_count,
            vwap=volume_weighted_average(self.value, self.volume, self.close),
        )


class BarAggregator:
    """Turns trades of any number of symbols into bars of several timeframes at once."""

    def __init__(self, timeframes: Sequence[Timeframe]) -> None:
        if len(set(timeframes)) != len(timeframes):
            raise ValueError("a timeframe is named twice")
        self._builders = [_TimeframeBuilder(timeframe) for timeframe in timeframes]

    @property
    def late_trades(self) -> int:
        """How many times a trade came too late for a bar; a trade counts once for each timeframe."""
        return sum(builder.late_trades for builder in self._builders)

    def on_trade(self, trade: Trade) -> list[Bar]:
        """Take a trade; returns the bars of its symbol that it shows to be complete."""
        finished: list[Bar] = []
        for builder in self._builders:
            bar = builder.add(trade)
            if bar is not None:
                finished.append(bar)
        return finished

    def advance(self, now_ns: int) -> list[Bar]:
        """Close every bar that ends at or before `now_ns`, ordered by end, then symbol, then as the timeframes."""
        finished: list[tuple[int, Symbol, int, Bar]] = []
        for place, builder in enumerate(self._builders):
            if now_ns >= builder.next_end_ns:
                finished += [(end_ns, bar.symbol, place, bar) for end_ns, bar in builder.close_until(now_ns)]
            builder.watermark_ns = max(builder.watermark_ns, now_ns)
        finished.sort(key=lambda row: row[:3])
        return [row[3] for row in finished]

    def flush(self) -> list[Bar]:
        """Close every open bar: the source of trades has ended."""
        return self.advance(max((builder.last_end_ns() for builder in self._builders), default=0))


class _TimeframeBuilder:
    """The open bars of one timeframe, by symbol."""

    def __init__(self, timeframe: Timeframe) -> None:
        self.timeframe = timeframe
        self.name = str(timeframe)
        self.duration_ns = timeframe.duration_ns
        self.open_bars: dict[Symbol, _OpenBar] = {}
        self.next_end_ns = _NEVER_NS
        self.watermark_ns = -_NEVER_NS
        self.late_trades = 0

    def add(self, trade: Trade) -> Bar | None:
        current = self.open_bars.get(trade.symbol)
        if current is not None and current.start_ns <= trade.ts_ns < current.end_ns:
            current.add(trade)
            return None
        start_ns = self.timeframe.start_of(trade.ts_ns)
        end_ns = start_ns + self.duration_ns
        if end_ns <= self.watermark_ns or (current is not None and start_ns < current.start_ns):
            self.late_trades += 1
            return None
        # The bar that this one displaces has ended, but it may not be the next to end: that stays a lower bound.
        self.open_bars[trade.symbol] = _OpenBar(trade, start_ns, end_ns)
        self.next_end_ns = min(self.next_end_ns, end_ns)
        return None if current is None else current.finished(trade.symbol, self.name)

    def close_until(self, now_ns: int) -> list[tuple[int, Bar]]:
        ended = [symbol for symbol, bar in self.open_bars.items() if bar.end_ns <= now_ns]
        finished = [(self.open_bars[symbol].end_ns, self._close(symbol)) for symbol in ended]
        self.next_end_ns = min((bar.end_ns for bar in self.open_bars.values()), default=_NEVER_NS)
        return finished

    def last_end_ns(self) -> int:
        return max((bar.end_ns for bar in self.open_bars.values()), default=0)

    def _close(self, symbol: Symbol) -> Bar:
        return self.open_bars.pop(symbol).finished(symbol, self.name)
