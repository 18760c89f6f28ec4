"""A position through purchases and sales: average entry price, realised and unrealised profit, long, short and turned."""

from decimal import Decimal

import pytest

from tradewind.domain.orders.terms import Side
from tradewind.domain.positions.position import Position

D = Decimal


def traded(*executions: str) -> Position:
    """A position after executions in words: "buy 10 @ 100"."""
    position = Position("AAPL")
    for text in executions:
        side, qty, _, price = text.split()
        change = position.change_for(Side(side), D(qty), D(price))
        position.book(Side(side), D(qty), change)
    return position


@pytest.mark.parametrize(
    ("executions", "qty", "average", "realised"),
    [
        (["buy 10 @ 100"], "10", "100", "0"),
        # A long grows: the average moves, nothing is earned yet.
        (["buy 10 @ 100", "buy 30 @ 120"], "40", "115", "0"),
        # A long shrinks: the average stays, the part that went is earned or lost.
        (["buy 40 @ 115", "sell 10 @ 125"], "30", "115", "100"),
        (["buy 40 @ 115", "sell 10 @ 100"], "30", "115", "-150"),
        (["buy 40 @ 115", "sell 10 @ 125", "buy 10 @ 155"], "40", "125", "100"),
        (["buy 10 @ 100", "sell 10 @ 100"], "0", "0", "0"),
        (["buy 10 @ 100", "sell 4 @ 110", "sell 6 @ 90"], "0", "0", "-20"),
        # A short grows and shrinks.
        (["sell 10 @ 100"], "-10", "100", "0"),
        (["sell 10 @ 100", "sell 10 @ 90"], "-20", "95", "0"),
        (["sell 20 @ 95", "buy 5 @ 80"], "-15", "95", "75"),
        (["sell 20 @ 95", "buy 5 @ 105"], "-15", "95", "-50"),
        (["sell 10 @ 100", "buy 10 @ 70"], "0", "0", "300"),
        # Turned: the old side is settled, the new side begins at the price of the turn.
        (["buy 10 @ 100", "sell 25 @ 110"], "-15", "110", "100"),
        (["buy 10 @ 100", "sell 25 @ 90"], "-15", "90", "-100"),
        (["sell 10 @ 100", "buy 25 @ 90"], "15", "90", "100"),
        (["sell 10 @ 100", "buy 25 @ 110"], "15", "110", "-100"),
        (["buy 10 @ 100", "sell 20 @ 110", "buy 20 @ 105"], "10", "105", "150"),
        # What is earned stays when a new position begins.
        (["buy 1 @ 100", "sell 1 @ 130", "sell 2 @ 50"], "-2", "50", "30"),
    ],
)
def test_the_books_of_a_position(executions: list[str], qty: str, average: str, realised: str) -> None:
    position = traded(*executions)
    assert (position.qty, position.average_entry_price, position.realised_pnl) == (
        D(qty),
        D(average),
        D(realised),
    )


@pytest.mark.parametrize(
    ("executions", "value", "pnl"),
    [
        (["buy 10 @ 100"], "1100", "100"),
        (["sell 10 @ 100"], "-1100", "-100"),
        (["buy 10 @ 120", "sell 5 @ 90"], "550", "-50"),
        (["buy 10 @ 100", "sell 10 @ 90"], "0", "0"),
    ],
)
def test_value_and_unrealised_profit_at_110(executions: list[str], value: str, pnl: str) -> None:
    position = traded(*executions)
    assert (position.market_value(D(110)), position.unrealised_pnl(D(110))) == (D(value), D(pnl))


def test_an_average_that_never_ends_is_shown_to_nine_decimals_and_the_cost_is_kept_whole() -> None:
    position = traded("buy 1 @ 10", "buy 2 @ 10.01")
    assert str(position.average_entry_price) == "10.006666667"
    assert position.cost_basis == D("30.02")


def test_selling_in_thirds_loses_no_fraction_of_a_cent() -> None:
    position = traded("buy 3 @ 10", "buy 4 @ 10.01", "sell 1 @ 10", "sell 2 @ 10")
    assert position.realised_pnl == D("-0.0171428571"), "to the finest unit of the books"
    closed = traded("buy 3 @ 10", "buy 4 @ 10.01", "sell 1 @ 10", "sell 2 @ 10", "sell 4 @ 10")
    assert (closed.cost_basis, closed.realised_pnl) == (D(0), D("-0.04")), (
        "the last unit takes the rest along"
    )


@pytest.mark.parametrize(
    ("executions", "side", "is_reduced"),
    [
        ([], "buy", False),
        ([], "sell", False),
        (["buy 1 @ 10"], "sell", True),
        (["buy 1 @ 10"], "buy", False),
        (["sell 1 @ 10"], "buy", True),
        (["sell 1 @ 10"], "sell", False),
    ],
)
def test_which_side_makes_a_position_smaller(executions: list[str], side: str, is_reduced: bool) -> None:
    assert traded(*executions).reduced_by(Side(side)) is is_reduced


def test_looking_at_what_an_execution_would_change_changes_nothing() -> None:
    position = traded("buy 10 @ 100")
    position.change_for(Side.SELL, D(10), D(50))
    assert (position.qty, position.cost_basis, position.realised_pnl) == (D(10), D(1000), D(0))


@pytest.mark.parametrize("executions", [["buy 10 @ 100"], ["sell 10 @ 100"]])
def test_units_that_orders_have_reserved_are_not_available(executions: list[str]) -> None:
    position = traded(*executions)
    position.held_qty = D(4)
    assert position.available_qty == 6
