"""Round trips from executions."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.orders.terms import Side
from tradewind.domain.performance.fill import Fill
from tradewind.domain.performance.trade_statistics import TradeStatistics
from tradewind.domain.performance.trades import RoundTrip, RoundTripBook
from tradewind.domain.positions.position import Position

D = Decimal
MINUTE_NS = 60_000_000_000


def fill(minute: int, side: str, qty: str, price: str, fee: str = "0", symbol: str = "AAPL") -> Fill:
    return Fill(
        symbol=symbol, side=Side(side), qty=D(qty), price=D(price), fee=D(fee), ts_ns=minute * MINUTE_NS
    )


def completed(*fills: Fill) -> list[RoundTrip]:
    book = RoundTripBook()
    return [trip for one in fills if (trip := book.book(one))]


def test_bought_twice_sold_once() -> None:
    (trip,) = completed(
        fill(0, "buy", "10", "100", "1"), fill(5, "buy", "30", "104", "2"), fill(9, "sell", "40", "110", "4")
    )
    assert trip == RoundTrip(
        symbol="AAPL",
        side=Side.BUY,
        qty=D(40),
        entered_at_ns=0,
        exited_at_ns=9 * MINUTE_NS,
        entry_price=D(103),
        exit_price=D(110),
        entry_value=D(4120),
        gross_pnl=D(280),
        fees=D(7),
    )
    assert trip.net_pnl == 273
    assert trip.return_on_entry == 273 / 4120
    assert trip.duration_ns == 9 * MINUTE_NS


def test_a_short_sale_gains_when_the_price_falls() -> None:
    (trip,) = completed(fill(0, "sell", "2", "50"), fill(1, "buy", "2", "45"))
    assert trip.side is Side.SELL
    assert trip.gross_pnl == 10


def test_an_open_position_is_not_yet_a_trade() -> None:
    assert completed(fill(0, "buy", "2", "50"), fill(1, "sell", "1", "55")) == []


def test_crossing_zero_ends_one_trade_and_begins_the_next() -> None:
    first, second = completed(
        fill(0, "buy", "1", "100"), fill(1, "sell", "3", "110", "0.9"), fill(2, "buy", "2", "105", "0.1")
    )
    assert (first.gross_pnl, first.fees, first.exited_at_ns) == (10, D("0.3"), MINUTE_NS)
    assert (second.side, second.qty, second.gross_pnl, second.fees) == (Side.SELL, 2, 10, D("0.7"))
    assert second.entered_at_ns == MINUTE_NS


def test_symbols_do_not_mix() -> None:
    trips = completed(
        fill(0, "buy", "1", "100"),
        fill(1, "sell", "1", "20000", symbol="BTC/USD"),
        fill(2, "sell", "1", "101"),
        fill(3, "buy", "1", "20010", symbol="BTC/USD"),
    )
    assert [(trip.symbol, trip.gross_pnl) for trip in trips] == [("AAPL", 1), ("BTC/USD", -10)]


fills = st.lists(
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


@given(fills)
def test_all_trades_together_earn_what_the_position_realised(sequence: list[Fill]) -> None:
    book, position = RoundTripBook(), Position("AAPL")
    earned, fees = D(0), D(0)
    # Sold off at the end, so that nothing stays open.
    for one in sequence:
        position.book(one.side, one.qty, position.change_for(one.side, one.qty, one.price))
        fees += one.fee
        if trip := book.book(one):
            earned += trip.gross_pnl
            fees -= trip.fees
    if position.qty:
        last = fill(101, "sell" if position.qty > 0 else "buy", str(abs(position.qty)), "7")
        position.book(last.side, last.qty, position.change_for(last.side, last.qty, last.price))
        trip = book.book(last)
        assert trip is not None
        earned += trip.gross_pnl
        fees -= trip.fees
    assert abs(earned - position.realised_pnl) < D("1e-6")
    assert fees == 0


def test_statistics_after_fees() -> None:
    statistics = TradeStatistics()
    assert (statistics.win_rate, statistics.profit_factor) == (None, None)
    for trip in completed(
        fill(0, "buy", "1", "100"), fill(1, "sell", "1", "131", "1"),
        fill(2, "buy", "1", "100"), fill(3, "sell", "1", "90"),
        fill(4, "buy", "1", "100"), fill(5, "sell", "1", "100", "5"),
        fill(6, "buy", "1", "100"), fill(7, "sell", "1", "100"),
    ):  # fmt: skip
        statistics.add(trip)
    assert (statistics.count, statistics.won, statistics.lost) == (4, 1, 2)
    assert statistics.win_rate == 0.25
    assert statistics.profit_factor == 2
    assert statistics.net_pnl == 15
