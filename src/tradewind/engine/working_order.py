"""An order as the simulated venue sees it: its own copy of the terms, and what is left to trade."""

from decimal import Context, Decimal

import msgspec

from tradewind.domain.decimals import ZERO, floor_to_step
from tradewind.domain.identifiers import AccountId, OrderId, Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce

FRACTION_STEP = Decimal("0.000000001")
"""The finest quantity that a notional order of a fractionable instrument trades."""

_EXACT = Context(prec=60)  # money over the smallest step has more digits than the default context allows


def smallest_step(instrument: Instrument) -> Decimal:
    """The quantity increment of fills."""
    return FRACTION_STEP if instrument.fractionable else instrument.lot_size


class WorkingOrder(msgspec.Struct, gc=False, kw_only=True):
    """One order at the venue.

    `filled_qty` counts what was filled before it came here too (FIX's CumQty). Exactly one of `leaves_qty` and
    `leaves_notional` is set. `arrival` is its place in time priority, 0 while it waits in no queue.
    `reserved_qty` bounds a notional order that reduces a position: it trades at most the units that are held for it.
    `expires_at_ns` is None for orders that do not expire. A triggered stop becomes a market or limit order.
    """

    account_id: AccountId
    order_id: OrderId
    symbol: Symbol
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None
    stop_price: Decimal | None
    total_qty: Decimal | None
    filled_qty: Decimal
    leaves_qty: Decimal | None
    leaves_notional: Decimal | None
    expires_at_ns: int | None
    reserved_qty: Decimal | None = None
    arrival: int = 0

    @classmethod
    def of(cls, order: Order, expires_at_ns: int | None) -> "WorkingOrder":
        """A copy of what `order` says now; `order` itself is never touched or kept."""
        return cls(
            account_id=order.account_id,
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            total_qty=order.qty,
            filled_qty=order.filled_qty,
            leaves_qty=None if order.qty is None else order.qty - order.filled_qty,
            leaves_notional=None if order.notional is None else order.notional - order.filled_value,
            expires_at_ns=expires_at_ns,
            reserved_qty=order.held_qty if order.notional is not None and order.held_qty else None,
        )

    @property
    def limit(self) -> Decimal:
        """The limit price of an order that has one."""
        return _present(self.limit_price)

    @property
    def stop(self) -> Decimal:
        """The stop price of an order that has one."""
        return _present(self.stop_price)

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing at all is left to trade, at any price."""
        left = self.leaves_notional if self.leaves_qty is None else self.leaves_qty
        return _present(left) <= 0

    def wanted_qty(self, price: Decimal, step: Decimal) -> Decimal:
        """What is left to trade at `price`, not negative: for a notional order a multiple of `step`, rounded down."""
        if self.leaves_qty is not None:
            return max(self.leaves_qty, ZERO)
        affordable_steps = _EXACT.divide_int(
            max(_present(self.leaves_notional), ZERO), _EXACT.multiply(price, step)
        )
        affordable = affordable_steps * step
        return affordable if self.reserved_qty is None else min(affordable, self.reserved_qty)

    def take_fill(self, qty: Decimal, price: Decimal) -> None:
        """Count an execution."""
        self.filled_qty += qty
        if self.leaves_qty is not None:
            self.leaves_qty -= qty
        if self.leaves_notional is not None:
            self.leaves_notional -= qty * price
        if self.reserved_qty is not None:
            self.reserved_qty -= qty

    def carry_on(self, old: "WorkingOrder") -> None:
        """Take the place of `old`: what it filled counts towards this order's total quantity."""
        self.filled_qty = old.filled_qty
        self.leaves_qty = _present(self.total_qty) - old.filled_qty

    def trigger(self) -> None:
        """Turn a stop into a market order and a stop-limit into a limit order."""
        self.order_type = OrderType.LIMIT if self.order_type.has_limit_price else OrderType.MARKET


def fillable_qty(wanted: Decimal, available: Decimal, step: Decimal) -> Decimal:
    """How much of `wanted` an amount of `available` units fills: all of it, or whole multiples of `step`."""
    if wanted <= available:
        return wanted
    return floor_to_step(available, step)


def _present(amount: Decimal | None) -> Decimal:
    assert amount is not None, "an order came to the venue without a term that its type needs"
    return amount
