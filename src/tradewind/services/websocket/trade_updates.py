"""What a committed event means to those who follow their orders: Alpaca's order updates."""

from collections.abc import Sequence
from typing import TypeGuard

from tradewind.domain.events import (
    Event,
    OrderAcknowledged,
    OrderCanceled,
    OrderCancelRejected,
    OrderCancelRequested,
    OrderExecuted,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
    OrderSubmitted,
)
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.ports.messages import PublishedEvent
from tradewind.ports.stream_formats import TradeUpdate

ToldEvent = (
    OrderSubmitted
    | OrderAcknowledged
    | OrderExecuted
    | OrderCancelRequested
    | OrderCanceled
    | OrderExpired
    | OrderRejected
    | OrderReplaceRequested
    | OrderReplaced
    | OrderCancelRejected
    | OrderReplaceRejected
)
"""Events that clients hear of; refusals reach only who sent the command."""

_NAMES: dict[type[ToldEvent], str] = {
    OrderSubmitted: "pending_new",
    OrderAcknowledged: "new",
    OrderExecuted: "partial_fill",
    OrderCancelRequested: "pending_cancel",
    OrderCanceled: "canceled",
    OrderExpired: "expired",
    OrderRejected: "rejected",
    OrderReplaceRequested: "pending_replace",
    OrderReplaced: "replaced",
    OrderCancelRejected: "order_cancel_rejected",
    OrderReplaceRejected: "order_replace_rejected",
}
"""What is said about the order (about the old one of a replacement)."""

_NEW_ORDER_NAMES: dict[type[ToldEvent], str] = {
    OrderReplaceRequested: "pending_new",
    OrderReplaced: "new",
    OrderReplaceRejected: "rejected",
}
"""What is said about the new order of a replacement."""


def is_told(event: Event) -> TypeGuard[ToldEvent]:
    """Whether clients hear of the event."""
    return isinstance(event, ToldEvent)


def trade_updates(published: PublishedEvent) -> Sequence[TradeUpdate]:
    """The updates that the event means, about the old order first; none when it has no order to show."""
    event = published.event
    if not is_told(event):
        return ()
    updates = []
    if published.order is not None:
        updates.append(_update(_name(event), published.order, published))
    new_name = _NEW_ORDER_NAMES.get(type(event))
    if new_name is not None and published.new_order is not None:
        updates.append(_update(new_name, published.new_order, published))
    return updates


def _name(event: ToldEvent) -> str:
    if isinstance(event, OrderExecuted) and event.status is OrderStatus.FILLED:
        return "fill"
    return _NAMES[type(event)]


def _update(name: str, order: Order, published: PublishedEvent) -> TradeUpdate:
    event = published.event
    return TradeUpdate(
        name=name,
        account_id=event.account_id,
        order=order,
        ts_ns=published.ts_ns,
        execution=event if isinstance(event, OrderExecuted) else None,
    )
