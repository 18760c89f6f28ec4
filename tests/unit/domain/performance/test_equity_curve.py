"""Equity over time against a scenario computed by hand, and against the books."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.orders.terms import Side
from tradewind.domain.performance.equity_curve import Close, EquityCurve
from tradewind.domain.performance.fill import Fill

D = Decimal


def fill(ts_ns: int, side: str, qty: str, price: str, fee: str = "0", symbol: str = "AAPL") -> Fill:
    return Fill(symbol=symbol, side=Side(side), qty=D(qty), price=D(price), fee=D(fee), ts_ns=ts_ns)


def test_a_week_computed_by_hand() -> None:
    curve = EquityCurve([10, 20, 30, 40, 50])
    curve.add_external_flow(10, D(10_000))  # at the first time itself
    curve.add_fill(fill(15, "buy", "10", "100", "1"))  # cash 8,999
    curve.add_fill(fill(32, "sell", "4", "120", "1"))  # cash 9,478
    curve.add_external_flow(33, D(-478))  # cash 9,000
    curve.add_internal_cash(41, D(5))  # interest: cash 9,005
    closes = {
        "AAPL": [Close(5, D(90)), Close(25, D(110)), Close(30, D(115)), Close(36, D(118)), Close(60, D(1))]
    }
    points = curve.points(closes)
    assert [point.cash for point in points] == [10_000, 8_999, 8_999, 9_000, 9_005]
    # At 20 the last close is the one of 5; at 30 the close of that very moment counts.
    assert [point.equity for point in points] == [
        10_000,
        8_999 + 10 * 90,
        8_999 + 10 * 115,
        9_000 + 6 * 118,
        9_005 + 6 * 118,
    ]
    assert [point.external_flow for point in points] == [10_000, 0, 0, -478, 0]


def test_without_bars_the_last_execution_gives_the_price() -> None:
    curve = EquityCurve([10, 20, 30])
    curve.add_fill(fill(12, "buy", "2", "50"))
    curve.add_fill(fill(11, "buy", "1", "40"))
    assert [point.equity for point in curve.points({})] == [0, 3 * 50 - 140, 3 * 50 - 140]
    assert curve.points({"AAPL": [Close(25, D(60))]})[-1].equity == 3 * 60 - 140


def test_a_short_position_counts_negative() -> None:
    curve = EquityCurve([10])
    curve.add_external_flow(1, D(1_000))
    curve.add_fill(fill(5, "sell", "2", "50"))
    assert curve.points({"AAPL": [Close(9, D(60))]})[0].equity == 1_000 + 100 - 120


def test_only_symbols_that_were_held_need_prices() -> None:
    curve = EquityCurve([10, 20])
    curve.add_fill(fill(1, "buy", "1", "5", symbol="MSFT"))
    curve.add_fill(fill(2, "sell", "1", "5", symbol="MSFT"))
    curve.add_fill(fill(11, "buy", "1", "5"))
    curve.add_fill(fill(21, "buy", "1", "5", symbol="GOOG"))
    assert curve.held_symbols() == ["AAPL"]


@pytest.mark.parametrize("times", [[], [1, 1], [2, 1]])
def test_times_must_rise(times: list[int]) -> None:
    with pytest.raises(ValueError, match="rising"):
        EquityCurve(times)


executed = st.lists(
    st.builds(
        fill,
        st.integers(0, 100),
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 5).map(str),
        st.integers(1, 1000).map(str),
        st.integers(0, 9).map(str),
    ),
    max_size=30,
)
rising_times = st.sets(st.integers(0, 110), min_size=1, max_size=12).map(sorted)


@given(executed, rising_times, st.randoms(use_true_random=False))
def test_every_point_is_cash_plus_position_value_in_whatever_order_it_is_told(
    fills: list[Fill], times: list[int], shuffle: object
) -> None:
    told = list(fills)
    shuffle.shuffle(told)  # type: ignore[attr-defined]
    curve = EquityCurve(times)
    for one in told:
        curve.add_fill(one)
    closes = [Close(ts_ns, D(ts_ns + 3)) for ts_ns in range(111)]
    for point in curve.points({"AAPL": closes}):
        before = [one for one in fills if one.ts_ns <= point.ts_ns]
        cash = sum((one.cash_change for one in before), D(0))
        position = sum((one.signed_qty for one in before), D(0))
        assert point.cash == cash
        assert point.equity == cash + position * (point.ts_ns + 3)


@given(executed, rising_times)
def test_equity_changes_only_by_prices_fees_and_flows(fills: list[Fill], times: list[int]) -> None:
    curve = EquityCurve(times)
    for one in fills:
        curve.add_fill(
            Fill(symbol="AAPL", side=one.side, qty=one.qty, price=D(7), fee=one.fee, ts_ns=one.ts_ns)
        )
    points = curve.points({"AAPL": [Close(0, D(7))]})
    for before, after in pairwise(points):
        fees = sum((one.fee for one in fills if before.ts_ns < one.ts_ns <= after.ts_ns), D(0))
        assert after.equity - before.equity == -fees
