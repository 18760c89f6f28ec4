"""An account worked out backwards is the account as it was, and today's profit is measured from the previous close."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.accounts.account import Account
from tradewind.domain.accounts.activity import NO_TURNOVER, AccountActivity, Turnover, day_cost
from tradewind.domain.positions.position import Position

SYMBOLS = ("AAPL", "BTC/USD")
FILLS = st.lists(
    st.tuples(
        st.sampled_from(SYMBOLS), st.booleans(), st.integers(1, 50), st.integers(1, 900), st.integers(0, 3)
    ),
    max_size=12,
)
Fills = list[tuple[str, bool, int, int, int]]


def booked(cash: Decimal, quantities: dict[str, Decimal], fills: Fills) -> tuple[Decimal, dict[str, Decimal]]:
    """Cash and quantities after the fills, forwards."""
    held = dict(quantities)
    for symbol, is_buy, qty, price, fee in fills:
        signed = Decimal(qty if is_buy else -qty)
        cash -= signed * price + fee
        held[symbol] = held.get(symbol, Decimal(0)) + signed
    return cash, held


def turnover_of(fills: Fills, wanted: str) -> Turnover:
    mine = [fill for fill in fills if fill[0] == wanted]
    bought = [fill for fill in mine if fill[1]]
    sold = [fill for fill in mine if not fill[1]]
    return Turnover(
        bought_qty=Decimal(sum(fill[2] for fill in bought)),
        bought_value=Decimal(sum(fill[2] * fill[3] for fill in bought)),
        sold_qty=Decimal(sum(fill[2] for fill in sold)),
        sold_value=Decimal(sum(fill[2] * fill[3] for fill in sold)),
        fees=Decimal(sum(fill[4] for fill in mine)),
    )


@given(FILLS, FILLS, st.integers(-500, 500))
def test_the_past_is_what_it_was(yesterday: Fills, today: Fills, deposit: int) -> None:
    then = booked(Decimal(10_000), {}, yesterday)
    cash, held = booked(then[0] + deposit, then[1], today)
    account = Account(
        account_id="a",
        account_number="1",
        currency="USD",
        multiplier=Decimal(2),
        created_at_ns=0,
        cash_available=cash - 7,
        cash_held=Decimal(7),
        # A position that went flat may or may not still be listed.
        positions={symbol: Position(symbol, qty) for symbol, qty in held.items() if qty},
    )
    activity = AccountActivity(
        account=account,
        net_deposits=Decimal(deposit),
        turnover={symbol: turnover_of(today, symbol) for symbol in {fill[0] for fill in today}},
    )
    assert activity.cash_before == then[0]
    assert activity.quantities_before == {symbol: qty for symbol, qty in then[1].items() if qty}


@pytest.mark.parametrize(
    ("qty", "turnover", "cost"),
    [
        ("10", {}, "1000"),  # carried over: at the close, 100
        ("-10", {}, "-1000"),
        ("5", {"bought_qty": "5", "bought_value": "600"}, "600"),  # opened today at 120
        ("-4", {"sold_qty": "4", "sold_value": "360"}, "-360"),
        ("15", {"bought_qty": "5", "bought_value": "600"}, "1600"),  # 10 carried, 5 added at 120
        ("6", {"sold_qty": "4", "sold_value": "440"}, "600"),  # 4 of 10 sold
        # 10 carried, 5 bought at 120, 5 sold: those sold are today's.
        ("10", {"bought_qty": "5", "bought_value": "600", "sold_qty": "5", "sold_value": "550"}, "1000"),
        # 10 carried and 3 more sold at 90, on average: turned short.
        ("-3", {"sold_qty": "13", "sold_value": "1170"}, "-270"),
    ],
)
def test_today_begins_at_the_previous_close(qty: str, turnover: dict[str, str], cost: str) -> None:
    sums = {name: Decimal(amount) for name, amount in turnover.items()}
    assert day_cost(Decimal(qty), Turnover(**sums), Decimal(100)) == Decimal(cost)


@given(FILLS, st.integers(1, 900), st.integers(1, 900))
def test_what_was_not_traded_today_earns_the_change_of_the_price(
    yesterday: Fills, close: int, mark: int
) -> None:
    _, held = booked(Decimal(0), {}, yesterday)
    for qty in held.values():
        assert qty * mark - day_cost(qty, NO_TURNOVER, Decimal(close)) == qty * (mark - close)
