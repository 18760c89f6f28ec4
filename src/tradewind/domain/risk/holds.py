"""What an order reserves while it works: money when it opens, units of the position when it closes."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, ROUND_UP, Decimal

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.accounts.valuation import margin_rate
from tradewind.domain.decimals import ZERO, quantize_money
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import OrderType, Side

UNPRICED_ORDER_COLLAR = Decimal("1.02")
"""Orders without a limit price reserve 2 % more than the price they are expected to trade at."""


class Hold(msgspec.Struct, frozen=True):
    """`cash` and `qty` to reserve now; `rate` is the money for each unit still to be filled."""

    cash: Decimal
    qty: Decimal
    rate: Decimal


def worst_price(order: Order, marks: Mapping[Symbol, Decimal]) -> Decimal | None:
    """The price to reserve at: the limit if there is one, else stop or mark price with the collar; None if unknown.

    A short sale may trade above its limit, and a stop below the market trades at once at the market's price, so they
    reserve at the mark if that is higher.
    """
    mark = marks.get(order.symbol)
    if order.limit_price is not None:
        if order.side is Side.SELL and mark is not None:
            return max(order.limit_price, mark)
        return order.limit_price
    expected = mark
    if order.order_type is OrderType.STOP and order.stop_price is not None:
        expected = order.stop_price if mark is None else max(order.stop_price, mark)
    return None if expected is None else expected * UNPRICED_ORDER_COLLAR


def closing_hold(order: Order, available_qty: Decimal) -> Hold:
    """A closing order reserves its units; one for a notional reserves all that is free, its quantity being open."""
    return Hold(ZERO, available_qty if order.qty is None else order.leaves_qty, ZERO)


def opening_hold(order: Order, account: Account, instrument: Instrument, price: Decimal) -> Hold:
    """An opening order reserves the margin and the highest fee of what is left of it, rounded up."""
    part = margin_rate(instrument, account.multiplier) + instrument.max_fee_rate
    if order.notional is not None:
        rate = quantize_money(part, ROUND_UP)
        return Hold(quantize_money(rate * order.notional, ROUND_UP), ZERO, rate)
    rate = quantize_money(part * price, ROUND_UP)
    return Hold(quantize_money(rate * order.leaves_qty, ROUND_UP), ZERO, rate)


def released_by_execution(
    order: Order, qty: Decimal, price: Decimal, *, is_complete: bool
) -> tuple[Decimal, Decimal]:
    """Cash and units that leave the order's hold with an execution; all that is left when it completes the order."""
    if is_complete:
        return order.held_cash, order.held_qty
    filled = qty * price if order.qty is None else qty
    released_cash = quantize_money(order.hold_rate * filled, ROUND_DOWN) if order.hold_rate else ZERO
    return min(order.held_cash, released_cash), min(order.held_qty, qty)
