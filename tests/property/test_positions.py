"""Positions: what holds for any sequence of executions."""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.domain.decimals import MONEY_QUANTUM
from tradewind.domain.orders.terms import Side
from tradewind.domain.positions.position import Position

Execution = tuple[Side, Decimal, Decimal]

executions = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.decimals("0.000000001", "100000", places=9),
        st.decimals("0.0001", "50000", places=4),
    ),
    max_size=25,
)


def signed(side: Side, qty: Decimal) -> Decimal:
    return qty if side is Side.BUY else -qty


@settings(deadline=None)
@given(executions)
def test_quantity_is_the_sum_and_money_is_never_lost(history: list[Execution]) -> None:
    position, paid = Position("AAPL"), Decimal(0)
    for side, qty, price in history:
        before = position.qty
        change = position.change_for(side, qty, price)
        position.book(side, qty, change)
        paid += signed(side, qty) * price
        # What was paid is either still in the position or was realised.
        assert position.cost_basis - position.realised_pnl == paid
        assert position.qty == before + signed(side, qty)
        assert bool(position.qty) or position.cost_basis == 0
    assert position.qty == sum((signed(side, qty) for side, qty, _ in history), Decimal(0))


@settings(deadline=None)
@given(executions)
def test_the_books_follow_exact_arithmetic_within_a_quantum_a_step(history: list[Execution]) -> None:
    position, qty_exact, cost_exact = Position("AAPL"), Fraction(0), Fraction(0)
    for step, (side, qty, price) in enumerate(history, start=1):
        position.book(side, qty, position.change_for(side, qty, price))
        moved = Fraction(signed(side, qty))
        if qty_exact * moved >= 0:
            cost_exact += moved * Fraction(price)
        elif abs(moved) <= abs(qty_exact):
            cost_exact += cost_exact * moved / qty_exact
        else:
            cost_exact = (qty_exact + moved) * Fraction(price)
        qty_exact += moved
        assert abs(Fraction(position.cost_basis) - cost_exact) <= step * Fraction(MONEY_QUANTUM)


@settings(deadline=None)
@given(executions.filter(bool), st.decimals("0.01", "50000", places=2))
def test_only_reducing_executions_realise_profit(history: list[Execution], price: Decimal) -> None:
    position = Position("AAPL")
    for side, qty, paid in history:
        is_reduced = position.reduced_by(side)
        change = position.change_for(side, qty, paid)
        assert is_reduced or change.realised_pnl == 0
        position.book(side, qty, change)
    assert position.unrealised_pnl(price) == position.market_value(price) - position.cost_basis


@given(st.decimals("0.01", "1000", places=2), st.integers(1, 1000))
def test_average_entry_price_of_one_purchase_is_its_price(price: Decimal, qty: int) -> None:
    position = Position("AAPL")
    for side in Side:
        position.book(side, Decimal(qty), position.change_for(side, Decimal(qty), price))
        if position.qty:
            assert position.average_entry_price == price.quantize(Decimal("1E-9"), ROUND_HALF_EVEN)
    assert (position.qty, position.average_entry_price) == (Decimal(0), Decimal(0))
