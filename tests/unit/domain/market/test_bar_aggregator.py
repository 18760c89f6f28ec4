"""Bars from trades: the rules one by one, and against a plain regrouping of all trades."""

from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.market.average_price import VWAP_QUANTUM
from tradewind.domain.market.bar_aggregator import BarAggregator
from tradewind.domain.market.ticks import Bar, Trade
from tradewind.domain.market.timeframe import NS_PER_S, Timeframe

FIVE_SECONDS = Timeframe.parse("5Sec")
MINUTE = Timeframe.parse("1Min")
WEEK = Timeframe.parse("1Week")


def trade(ts_s: float, price: str, size: str = "1", symbol: str = "AAPL", trade_id: int = 0) -> Trade:
    return Trade(symbol, Decimal(price), Decimal(size), int(ts_s * NS_PER_S), trade_id)


def test_a_bar_holds_open_high_low_close_volume_and_the_weighted_average() -> None:
    aggregator = BarAggregator([MINUTE])
    for ts_s, price, size in ((60, "10", "1"), (70, "12", "2"), (80, "9", "3"), (119.9, "11", "1")):
        assert aggregator.on_trade(trade(ts_s, price, size)) == []
    vwap = (Decimal(10 + 24 + 27 + 11) / 7).quantize(VWAP_QUANTUM, ROUND_HALF_EVEN)
    expected = Bar(
        "AAPL", "1Min", 60 * NS_PER_S, Decimal(10), Decimal(12), Decimal(9), Decimal(11), Decimal(7), 4, vwap
    )
    assert aggregator.on_trade(trade(120, "50")) == [expected]


def test_time_closes_a_bar_at_its_end_and_not_before() -> None:
    aggregator = BarAggregator([FIVE_SECONDS])
    aggregator.on_trade(trade(5, "10"))
    assert aggregator.advance(10 * NS_PER_S - 1) == []
    assert [bar.start_ns for bar in aggregator.advance(10 * NS_PER_S)] == [5 * NS_PER_S]
    assert aggregator.advance(1_000 * NS_PER_S) == []


def test_a_late_trade_changes_nothing_and_is_counted() -> None:
    aggregator = BarAggregator([FIVE_SECONDS])
    aggregator.on_trade(trade(6, "10"))
    aggregator.on_trade(trade(11, "11"))
    assert aggregator.on_trade(trade(9, "99")) == []
    aggregator.advance(20 * NS_PER_S)
    assert aggregator.on_trade(trade(19, "99", symbol="MSFT")) == []
    assert aggregator.late_trades == 2
    assert aggregator.flush() == []


def test_bars_that_end_together_come_in_the_order_of_end_symbol_and_timeframe() -> None:
    aggregator = BarAggregator([MINUTE, FIVE_SECONDS])
    for symbol in ("MSFT", "AAPL"):
        aggregator.on_trade(trade(56, "10", symbol=symbol))
    aggregator.on_trade(trade(50, "10", symbol="SPY"))
    finished = [(bar.symbol, bar.timeframe) for bar in aggregator.advance(60 * NS_PER_S)]
    assert finished == [
        ("SPY", "5Sec"), ("AAPL", "1Min"), ("AAPL", "5Sec"), ("MSFT", "1Min"), ("MSFT", "5Sec"), ("SPY", "1Min"),
    ]  # fmt: skip


def test_a_bar_of_trades_without_size_has_its_close_as_average() -> None:
    aggregator = BarAggregator([MINUTE])
    aggregator.on_trade(trade(1, "10", "0"))
    aggregator.on_trade(trade(2, "12", "0"))
    assert [(bar.volume, bar.vwap) for bar in aggregator.flush()] == [(Decimal(0), Decimal(12))]


def test_a_timeframe_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        BarAggregator([MINUTE, MINUTE])


TIMEFRAMES = (FIVE_SECONDS, MINUTE, WEEK)
TRADES = st.lists(
    st.builds(
        Trade,
        symbol=st.sampled_from(("AAPL", "BTC/USD")),
        price=st.decimals("0.0001", "1000", places=4),
        size=st.decimals("0.000000001", "1000", places=9),
        ts_ns=st.integers(0, 400 * NS_PER_S),
        trade_id=st.integers(0, 1_000_000),
    ),
    max_size=60,
    unique_by=lambda trade: trade.trade_id,
)


def regrouped(trades: list[Trade], timeframe: Timeframe) -> list[Bar]:
    """All bars of a timeframe, the obvious way."""
    groups: dict[tuple[int, str], list[Trade]] = defaultdict(list)
    for item in sorted(trades, key=lambda trade: (trade.ts_ns, trade.trade_id)):
        groups[timeframe.start_of(item.ts_ns), item.symbol].append(item)
    bars = []
    for (start_ns, symbol), group in sorted(groups.items()):
        prices = [item.price for item in group]
        volume = sum((item.size for item in group), Decimal(0))
        value = sum((item.price * item.size for item in group), Decimal(0))
        vwap = (value / volume).quantize(VWAP_QUANTUM, ROUND_HALF_EVEN)
        first, last = prices[0], prices[-1]
        bars.append(
            Bar(
                symbol,
                str(timeframe),
                start_ns,
                first,
                max(prices),
                min(prices),
                last,
                volume,
                len(group),
                vwap,
            )
        )
    return bars


@given(TRADES)
def test_trades_in_order_give_the_same_bars_as_regrouping_them_all(trades: list[Trade]) -> None:
    aggregator = BarAggregator(TIMEFRAMES)
    bars: list[Bar] = []
    for item in sorted(trades, key=lambda trade: (trade.ts_ns, trade.trade_id)):
        bars += aggregator.advance(item.ts_ns)
        bars += aggregator.on_trade(item)
    bars += aggregator.flush()
    assert aggregator.late_trades == 0
    for timeframe in TIMEFRAMES:
        assert [bar for bar in bars if bar.timeframe == str(timeframe)] == regrouped(trades, timeframe)


@given(TRADES, st.randoms(use_true_random=False))
def test_within_an_interval_the_order_of_arrival_does_not_matter(trades: list[Trade], source: object) -> None:
    shuffled = list(trades)
    source.shuffle(shuffled)  # type: ignore[attr-defined]
    aggregator = BarAggregator([WEEK])
    for item in shuffled:
        aggregator.on_trade(item)
    assert aggregator.flush() == regrouped(trades, WEEK)


@given(TRADES, st.lists(st.integers(0, 450 * NS_PER_S), max_size=10))
def test_every_trade_is_in_one_bar_or_late_and_no_bar_comes_twice(
    trades: list[Trade], times: list[int]
) -> None:
    aggregator = BarAggregator([FIVE_SECONDS])
    bars: list[Bar] = []
    for place, item in enumerate(trades):
        bars += aggregator.on_trade(item)
        if place < len(times):
            bars += aggregator.advance(times[place])
    bars += aggregator.flush()
    assert sum(bar.trade_count for bar in bars) + aggregator.late_trades == len(trades)
    keys = [(bar.symbol, bar.start_ns) for bar in bars]
    assert len(set(keys)) == len(keys)
    for bar in bars:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.low <= bar.vwap <= bar.high


def test_a_trade_at_the_very_end_of_an_interval_belongs_to_the_next() -> None:
    aggregator = BarAggregator([MINUTE])
    aggregator.on_trade(trade(60, "10"))
    last_ns = Trade("AAPL", Decimal(11), Decimal(1), 120 * NS_PER_S - 1, 1)
    assert aggregator.on_trade(last_ns) == []
    (bar,) = aggregator.on_trade(trade(120, "12"))
    assert (bar.start_ns, bar.open, bar.close) == (60 * NS_PER_S, Decimal(10), Decimal(11))
    assert [bar.start_ns for bar in aggregator.flush()] == [120 * NS_PER_S]


def test_a_quiet_hour_between_two_trades_gives_no_bars() -> None:
    aggregator = BarAggregator([MINUTE])
    aggregator.on_trade(trade(0, "10"))
    assert [bar.start_ns for bar in aggregator.advance(1_800 * NS_PER_S)] == [0]
    assert aggregator.on_trade(trade(3_600, "11")) == []
    assert [bar.start_ns for bar in aggregator.flush()] == [3_600 * NS_PER_S]


def test_a_single_trade_is_a_whole_bar() -> None:
    aggregator = BarAggregator([MINUTE])
    aggregator.on_trade(trade(61, "10.5", "3"))
    (bar,) = aggregator.flush()
    assert bar.open == bar.high == bar.low == bar.close == bar.vwap == Decimal("10.5")
    assert (bar.volume, bar.trade_count) == (Decimal(3), 1)


def test_trades_of_the_same_instant_open_and_close_by_their_ids() -> None:
    aggregator = BarAggregator([MINUTE])
    for price, trade_id in (("11", 2), ("12", 3), ("10", 1)):
        aggregator.on_trade(trade(5, price, trade_id=trade_id))
    (bar,) = aggregator.flush()
    assert (bar.open, bar.close) == (Decimal(10), Decimal(12))


def test_a_clock_that_is_set_back_opens_no_interval_again() -> None:
    aggregator = BarAggregator([MINUTE])
    aggregator.on_trade(trade(60, "10"))
    assert len(aggregator.advance(120 * NS_PER_S)) == 1
    assert aggregator.advance(90 * NS_PER_S) == []
    assert aggregator.on_trade(trade(119, "99")) == []
    assert (aggregator.late_trades, aggregator.flush()) == (1, [])


def test_a_late_trade_of_a_short_bar_may_be_in_time_for_a_long_one() -> None:
    aggregator = BarAggregator([FIVE_SECONDS, MINUTE])
    aggregator.on_trade(trade(3, "10"))
    aggregator.advance(30 * NS_PER_S)
    aggregator.on_trade(trade(4, "12"))
    assert aggregator.late_trades == 1
    assert [(bar.timeframe, bar.high) for bar in aggregator.flush()] == [("1Min", Decimal(12))]


def test_a_week_of_trading_begins_on_monday() -> None:
    sunday_s = 3 * 86_400  # 1970-01-04
    aggregator = BarAggregator([WEEK])
    aggregator.on_trade(trade(sunday_s + 86_399, "10"))
    (before,) = aggregator.on_trade(trade(sunday_s + 86_400, "11"))
    assert before.start_ns == -3 * 86_400 * NS_PER_S  # the Monday before the epoch
    assert [bar.start_ns for bar in aggregator.flush()] == [4 * 86_400 * NS_PER_S]
