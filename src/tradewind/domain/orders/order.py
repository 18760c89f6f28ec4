"""The record of one order: its terms, where it stands, and what is held for it."""

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from tradewind.domain.decimals import ZERO
from tradewind.domain.identifiers import AccountId, ClientOrderId, ExecutionId, OrderId, Symbol
from tradewind.domain.orders.state_machine import TERMINAL_STATUSES, OrderStatus, require_legal
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce

_AVERAGE_PRICE_QUANTUM = Decimal("0.000000001")


class Order(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An order as its shard's core keeps it. Only events change it (`tradewind.engine.evolve`).

    Exactly one of `qty` and `notional` is set. `filled_value` is the sum of price times quantity over its
    executions. `held_cash` is the money still reserved for it, `held_qty` the units of a position still reserved
    for it. After a replacement `filled_qty` and `filled_value` carry on (as FIX's CumQty does); `qty` stays the
    total.
    """

    order_id: OrderId
    account_id: AccountId
    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    status: OrderStatus = OrderStatus.PENDING_NEW
    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO
    held_cash: Decimal = ZERO
    held_qty: Decimal = ZERO
    hold_rate: Decimal = ZERO
    """Money held for each unit (or, for a notional order, for each unit of currency) that is not filled yet."""
    submitted_at_ns: int = 0
    updated_at_ns: int = 0
    expires_at_ns: int | None = None
    filled_at_ns: int | None = None
    canceled_at_ns: int | None = None
    expired_at_ns: int | None = None
    failed_at_ns: int | None = None
    replaced_at_ns: int | None = None
    replaces: OrderId | None = None
    replaced_by: OrderId | None = None
    reject_reason: str | None = None
    execution_ids: list[ExecutionId] = msgspec.field(default_factory=list)
    """The venue's ids of the executions booked so far: a report with one of them is a repeat."""

    @property
    def is_open(self) -> bool:
        """Whether the order may still trade."""
        return self.status not in TERMINAL_STATUSES

    @property
    def leaves_qty(self) -> Decimal:
        """What is left to trade of a quantity order, zero for a notional order."""
        return ZERO if self.qty is None else self.qty - self.filled_qty

    @property
    def average_fill_price(self) -> Decimal | None:
        """Volume-weighted price of the executions, to nine decimals (half to even), None before the first."""
        if not self.filled_qty:
            return None
        return (self.filled_value / self.filled_qty).quantize(_AVERAGE_PRICE_QUANTUM, ROUND_HALF_EVEN)

    def move_to(self, status: OrderStatus, now_ns: int) -> None:
        """Take a legal step of the state machine; raises `IllegalTransition` on any other."""
        require_legal(self.status, status)
        self.status = status
        self.updated_at_ns = now_ns
