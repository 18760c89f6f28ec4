"""Longer bars from shorter ones, exactly as if they had been built of the same trades."""

from collections.abc import Iterable
from itertools import groupby

from tradewind.domain.decimals import ZERO
from tradewind.domain.market.average_price import volume_weighted_average
from tradewind.domain.market.ticks import Bar
from tradewind.domain.market.timeframe import Timeframe


def downsampled(bars: Iterable[Bar], timeframe: Timeframe) -> list[Bar]:
    """The bars of `timeframe` that the bars of one symbol, oldest first, make up; none where there is none.

    The average price is that of the bars' averages weighted by volume, rounded as theirs are.
    """
    return [
        _merged(list(parts), start_ns, str(timeframe))
        for start_ns, parts in groupby(bars, lambda bar: timeframe.start_of(bar.start_ns))
    ]


def _merged(parts: list[Bar], start_ns: int, timeframe: str) -> Bar:
    volume = sum((bar.volume for bar in parts), ZERO)
    value = sum((bar.vwap * bar.volume for bar in parts), ZERO)
    close = parts[-1].close
    return Bar(
        symbol=parts[0].symbol,
        timeframe=timeframe,
        start_ns=start_ns,
        open=parts[0].open,
        high=max(bar.high for bar in parts),
        low=min(bar.low for bar in parts),
        close=close,
        volume=volume,
        trade_count=sum(bar.trade_count for bar in parts),
        vwap=volume_weighted_average(value, volume, close),
    )
