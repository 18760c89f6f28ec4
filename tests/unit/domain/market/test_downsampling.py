"""Longer bars made of shorter ones are those that the same trades would have made."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.market.average_price import VWAP_QUANTUM
from tradewind.domain.market.bar_aggregator import BarAggregator
from tradewind.domain.market.downsampling import downsampled
from tradewind.domain.market.ticks import Bar, Trade
from tradewind.domain.market.timeframe import NS_PER_S, Timeframe

MINUTE, HOUR = Timeframe.parse("1Min"), Timeframe.parse("1Hour")
TRADES = st.lists(
    st.tuples(
        st.integers(0, 4 * 3_600), st.decimals("0.01", "500", places=2), st.decimals("0.001", "900", places=3)
    ),
    max_size=60,
)


@given(TRADES)
def test_they_equal_those_built_of_the_trades(rows: list[tuple[int, Decimal, Decimal]]) -> None:
    aggregator = BarAggregator([MINUTE, HOUR])
    bars: list[Bar] = []
    for number, (second, price, size) in enumerate(sorted(rows)):
        bars += aggregator.on_trade(Trade("AAPL", price, size, second * NS_PER_S, number))
    bars += aggregator.flush()
    minutes = [bar for bar in bars if bar.timeframe == "1Min"]
    made = downsampled(minutes, HOUR)
    built = [bar for bar in bars if bar.timeframe == "1Hour"]
    assert [(b.start_ns, b.open, b.high, b.low, b.close, b.volume, b.trade_count) for b in made] == [
        (b.start_ns, b.open, b.high, b.low, b.close, b.volume, b.trade_count) for b in built
    ]
    # Each minute's average was rounded before.
    assert all(abs(a.vwap - b.vwap) <= VWAP_QUANTUM for a, b in zip(made, built, strict=True))


def test_bars_without_volume_average_at_their_close() -> None:
    price, none = Decimal(7), Decimal(0)
    quiet = [
        Bar("AAPL", "1Min", start, price, price, price, price, none, 0, price) for start in (0, 60 * NS_PER_S)
    ]
    (hour,) = downsampled(quiet, HOUR)
    assert (hour.vwap, hour.volume, hour.timeframe) == (price, none, "1Hour")
