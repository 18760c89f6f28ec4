"""What an order reserves, and what it gives back as it trades."""

from decimal import Decimal

import pytest

from tests.core_scenarios import ACCOUNT_ID, parse_order
from tests.instruments import coin, fractional_share, share
from tradewind.domain.accounts.account import Account
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.order import Order
from tradewind.domain.risk.holds import (
    Hold,
    closing_hold,
    opening_hold,
    released_by_execution,
    worst_price,
)

D = Decimal
BRK = share("BRK")
AAPL = fractional_share("AAPL", marginable=True, shortable=True)
BTC = coin("BTC/USD", max_fee_rate=D("0.0025"))


def order(terms: str, **fields: Decimal) -> Order:
    """ "buy 10 AAPL limit 100" """
    return Order(order_id="A", account_id=ACCOUNT_ID, client_order_id="A", **{**parse_order(terms), **fields})


def account(multiplier: int) -> Account:
    return Account(
        account_id=ACCOUNT_ID,
        account_number="PA1",
        currency="USD",
        multiplier=D(multiplier),
        created_at_ns=0,
    )


@pytest.mark.parametrize(
    ("terms", "mark", "price"),
    [
        # A buyer never pays more than the limit.
        ("buy 1 AAPL limit 100", "150", "100"),
        ("buy 1 AAPL limit 100", None, "100"),
        ("buy 1 AAPL stop 90 limit 95", "150", "95"),
        # A seller may get more than the limit, and a short position is then worth more.
        ("sell 1 AAPL limit 100", "150", "150"),
        ("sell 1 AAPL limit 100", "80", "100"),
        ("sell 1 AAPL limit 100", None, "100"),
        # Without a limit: two percent beyond what is expected.
        ("buy 1 AAPL market", "100", "102"),
        ("sell 1 AAPL market", "100", "102"),
        ("buy 1 AAPL stop 120", "100", "122.4"),
        ("buy 1 AAPL stop 90", "100", "102"),  # triggered at once, at the market
        ("sell 1 AAPL stop 90", "100", "102"),
        ("buy 1 AAPL stop 120", None, "122.4"),
        ("buy 1 AAPL market", None, None),
    ],
)
def test_the_price_that_an_order_reserves_at(terms: str, mark: str | None, price: str | None) -> None:
    marks = {} if mark is None else {"AAPL": D(mark)}
    assert worst_price(order(terms), marks) == (None if price is None else D(price))


@pytest.mark.parametrize(
    ("terms", "instrument", "multiplier", "price", "cash", "rate"),
    [
        ("buy 10 BRK limit 50", BRK, 1, "50", "500", "50"),
        ("buy 10 BRK limit 50", BRK, 2, "50", "500", "50"),  # not marginable: paid in full
        ("buy 10 AAPL limit 50", AAPL, 2, "50", "250", "25"),
        ("sell 10 AAPL limit 50", AAPL, 2, "50", "250", "25"),  # a short sale needs margin too
        ("buy 2 BTC/USD limit 20000", BTC, 2, "20000", "40100", "20050"),  # with the highest fee
        ("buy $500 AAPL market", AAPL, 1, "102", "500", "1"),
        ("buy $500 AAPL market", AAPL, 2, "102", "250", "0.5"),
        ("buy $100 BTC/USD market", BTC, 1, "20400", "100.25", "1.0025"),
        # Rounded up, to the finest unit of the books: 0.000000001 at 0.0001 is less than that unit.
        ("buy 0.000000001 AAPL limit 0.0001", AAPL, 1, "0.0001", "0.0000000001", "0.0001"),
    ],
)
def test_what_an_opening_order_reserves(
    terms: str, instrument: Instrument, multiplier: int, price: str, cash: str, rate: str
) -> None:
    hold = opening_hold(order(terms), account(multiplier), instrument, D(price))
    assert hold == Hold(cash=D(cash), qty=D(0), rate=D(rate))


def test_a_replacement_that_is_partly_filled_reserves_what_is_left() -> None:
    replacement = order("buy 10 BRK limit 50", filled_qty=D(4), filled_value=D(196))
    assert opening_hold(replacement, account(1), BRK, D(50)).cash == 300


def test_a_closing_order_reserves_its_units_and_no_money() -> None:
    assert closing_hold(order("sell 4 AAPL market"), D(10)) == Hold(cash=D(0), qty=D(4), rate=D(0))


def test_a_closing_order_by_value_reserves_all_units_that_are_free() -> None:
    assert closing_hold(order("sell $400 AAPL market"), D(10)).qty == 10


@pytest.mark.parametrize(
    ("held", "qty", "price", "is_complete", "released"),
    [
        # Bought below the limit: what was reserved for these units comes back, not what they cost.
        ("1000", "4", "90", False, "400"),
        ("1000", "10", "90", True, "1000"),
        ("1000", "3", "90", True, "1000"),  # the venue says that there is no more to come
        ("300", "4", "90", False, "300"),  # never more than is held
    ],
)
def test_an_execution_gives_back_what_its_units_had_reserved(
    held: str, qty: str, price: str, is_complete: bool, released: str
) -> None:
    working = order("buy 10 BRK limit 100", held_cash=D(held), hold_rate=D(100))
    cash, units = released_by_execution(working, D(qty), D(price), is_complete=is_complete)
    assert (cash, units) == (D(released), D(0))


def test_an_execution_of_an_order_by_value_gives_back_by_value() -> None:
    working = order("buy $500 AAPL market", held_cash=D(250), hold_rate=D("0.5"))
    assert released_by_execution(working, D(2), D(100), is_complete=False) == (D(100), D(0))


def test_what_an_execution_gives_back_is_rounded_down() -> None:
    working = order("buy 1 AAPL limit 100", held_cash=D(50), hold_rate=D("33.3333333333"))
    cash, _ = released_by_execution(working, D("0.123456789"), D(99), is_complete=False)
    assert cash == D("4.1152262999")


@pytest.mark.parametrize(
    ("qty", "is_complete", "released"), [("4", False, "4"), ("12", False, "10"), ("4", True, "10")]
)
def test_a_closing_order_gives_units_back(qty: str, is_complete: bool, released: str) -> None:
    working = order("sell 12 AAPL market", held_qty=D(10))
    assert released_by_execution(working, D(qty), D(90), is_complete=is_complete) == (D(0), D(released))
