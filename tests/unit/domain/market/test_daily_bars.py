"""The day so far: a fold of the day's minute bars, the same as one bar over the day's trades."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.market.bar_aggregator import BarAggregator
from tradewind.domain.market.daily_bars import DAY, DailyBars
from tradewind.domain.market.ticks import Bar, DailyBar, Trade
from tradewind.domain.market.timeframe import NS_PER_S, Timeframe

MINUTE = Timeframe.parse("1Min")
FIELDS = ("symbol", "start_ns", "open", "high", "low", "close", "volume", "trade_count")


def minute(number: int, *, close: str = "10", timeframe: str = "1Min", symbol: str = "AAPL") -> Bar:
    price = Decimal(close)
    return Bar(symbol, timeframe, number * 60 * NS_PER_S, price, price, price, price, Decimal(2), 3, price)


def test_only_minute_bars_count_and_symbols_are_kept_apart() -> None:
    days = DailyBars()
    assert days.on_bar(minute(0, timeframe="5Sec")) is None
    assert days.on_bar(minute(0, timeframe="1Day")) is None
    first = days.on_bar(minute(0))
    assert first is not None
    assert first.trade_count == 3
    other = days.on_bar(minute(0, symbol="MSFT", close="99"))
    assert other is not None
    assert (other.open, other.trade_count) == (Decimal(99), 3)


def test_a_new_day_begins_with_its_first_minute() -> None:
    days = DailyBars([minute(1_438, close="7")])
    last = days.on_bar(minute(1_439, close="11"))
    first = days.on_bar(minute(1_440, close="9"))
    assert last is not None
    assert first is not None
    assert (last.start_ns, last.open, last.close, last.volume) == (0, Decimal(7), Decimal(11), Decimal(4))
    assert (first.start_ns, first.open, first.volume) == (DAY.duration_ns, Decimal(9), Decimal(2))


def test_a_day_without_volume_has_its_close_as_average() -> None:
    zero = Decimal(0)
    bar = Bar("AAPL", "1Min", 0, zero, zero, zero, Decimal(5), zero, 1, Decimal(5))
    day = DailyBars().on_bar(bar)
    assert day is not None
    assert day.vwap == Decimal(5)


TRADES = st.lists(
    st.tuples(st.integers(0, 86_399), st.integers(1, 10_000), st.integers(1, 500)), min_size=1, max_size=40
)


@given(TRADES)
def test_the_last_telling_is_the_bar_of_the_whole_day(drawn: list[tuple[int, int, int]]) -> None:
    trades = [
        Trade("AAPL", Decimal(price) / 100, Decimal(size), second * NS_PER_S, number)
        for number, (second, price, size) in enumerate(sorted(drawn))
    ]
    minutes, whole = BarAggregator([MINUTE]), BarAggregator([DAY])
    bars = [bar for trade in trades for bar in minutes.on_trade(trade)] + minutes.flush()
    for trade in trades:
        whole.on_trade(trade)
    (expected,) = whole.flush()
    days = DailyBars()
    told: list[DailyBar | None] = [days.on_bar(bar) for bar in bars]
    last = told[-1]
    assert last is not None
    assert [getattr(last, name) for name in FIELDS] == [getattr(expected, name) for name in FIELDS]
    assert abs(last.vwap - expected.vwap) <= Decimal("0.000000002")
