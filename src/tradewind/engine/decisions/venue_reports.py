"""Decisions about what a venue reports. A repeated or late report changes nothing (no event).

A report on an order that waits to replace another says that the venue has replaced it, even when its word of that comes
later: the replacement is then booked first.
"""

from decimal import ROUND_UP
from typing import Any

import msgspec

from tradewind.domain.decimals import ZERO, quantize_money
from tradewind.domain.events import (
    Event,
    OrderAcknowledged,
    OrderCanceled,
    OrderCancelRejected,
    OrderExecuted,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRejected,
)
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.positions.position import Position
from tradewind.domain.risk.holds import released_by_execution
from tradewind.domain.venue_reports import (
    VenueAccepted,
    VenueCanceled,
    VenueCancelRejected,
    VenueExecution,
    VenueExpired,
    VenueRejected,
    VenueReplaced,
    VenueReplaceRejected,
)
from tradewind.engine.decisions.context import Decider

_REQUEST_PENDING = (OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)


def accepted(decider: Decider, report: VenueAccepted, now_ns: int) -> list[Event]:
    """The order works; it already may be filled in part, or its cancellation be on the way."""
    order = decider.state.orders.get(report.order_id)
    if order is None or order.status is not OrderStatus.PENDING_NEW:
        return []
    implied, _ = _working_order(decider, report.order_id)
    return implied or [OrderAcknowledged(account_id=order.account_id, order_id=order.order_id)]


def rejected(decider: Decider, report: VenueRejected, now_ns: int) -> list[Event]:
    """The venue does not take the order: its holds are released. One with executions is cancelled instead."""
    order = _open_order(decider, report.order_id)
    if order is None:
        return []
    old = _order_to_replace(decider, order)
    if old is not None:
        return [_replacement_rejected(decider, old, order, report.reason)]
    if order.filled_qty:
        return [OrderCanceled(**_closing_fields(decider, order))]
    return [
        OrderRejected(
            account_id=order.account_id,
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            currency=_currency(decider, order),
            reason=report.reason,
            released_cash=order.held_cash,
            released_qty=order.held_qty,
        )
    ]


def executed(decider: Decider, report: VenueExecution, now_ns: int) -> list[Event]:
    """Book the execution, once."""
    implied, order = _working_order(decider, report.order_id)
    if order is None or report.execution_id in order.execution_ids:
        return []
    assert report.qty > 0, f"execution {report.execution_id} has no quantity"
    assert order.qty is None or report.qty <= order.leaves_qty, (
        f"execution {report.execution_id} of {report.qty} exceeds what is left of order {order.order_id}"
    )
    is_complete = report.is_complete or (order.qty is not None and report.qty == order.leaves_qty)
    position = decider.state.accounts[order.account_id].positions.get(order.symbol) or Position(order.symbol)
    change = position.change_for(order.side, report.qty, report.price)
    cash, qty = released_by_execution(order, report.qty, report.price, is_complete=is_complete)
    return [
        *implied,
        OrderExecuted(
            account_id=order.account_id,
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            currency=_currency(decider, order),
            execution_id=report.execution_id,
            qty=report.qty,
            price=report.price,
            fee=report.fee,
            executed_at_ns=report.ts_ns,
            status=_status_after_execution(order, is_complete=is_complete),
            position_qty=position.qty + (report.qty if order.side == "buy" else -report.qty),
            cost_change=change.cost_change,
            realised_pnl=change.realised_pnl,
            released_cash=cash,
            released_qty=qty,
        ),
    ]


def canceled(decider: Decider, report: VenueCanceled, now_ns: int) -> list[Event]:
    """What is left of the order is off the market."""
    implied, order = _working_order(decider, report.order_id)
    return [] if order is None else [*implied, OrderCanceled(**_closing_fields(decider, order))]


def expired(decider: Decider, report: VenueExpired, now_ns: int) -> list[Event]:
    """The order's time in force ended."""
    implied, order = _working_order(decider, report.order_id)
    return [] if order is None else [*implied, OrderExpired(**_closing_fields(decider, order))]


def replaced(decider: Decider, report: VenueReplaced, now_ns: int) -> list[Event]:
    """The new order takes over: its fills carry on, and its hold is what its own terms need."""
    new = _open_order(decider, report.new_order_id)
    old = None if new is None else _order_to_replace(decider, new)
    if new is None or old is None or old.order_id != report.order_id:
        return []
    return [_replacement(decider, old, new)]


def cancel_rejected(decider: Decider, report: VenueCancelRejected, now_ns: int) -> list[Event]:
    """The order works on."""
    order = _open_order(decider, report.order_id)
    if order is None or order.status is not OrderStatus.PENDING_CANCEL:
        return []
    return [
        OrderCancelRejected(
            account_id=order.account_id,
            order_id=order.order_id,
            status=_working_status(order),
            reason=report.reason,
        )
    ]


def replace_rejected(decider: Decider, report: VenueReplaceRejected, now_ns: int) -> list[Event]:
    """The replacement never worked; the old order works on unless it is done."""
    old = decider.state.orders.get(report.order_id)
    new = _open_order(decider, report.new_order_id)
    if old is None or new is None or new.replaces != old.order_id:
        return []
    if old.status is OrderStatus.REPLACED or new.filled_qty:
        return []  # it works already
    return [_replacement_rejected(decider, old, new, report.reason)]


def _open_order(decider: Decider, order_id: str) -> Order | None:
    order = decider.state.orders.get(order_id)
    return order if order is not None and order.is_open else None


def _order_to_replace(decider: Decider, new: Order) -> Order | None:
    """The order whose place `new` waits to take."""
    old = None if new.replaces is None else _open_order(decider, new.replaces)
    return old if old is not None and old.status is OrderStatus.PENDING_REPLACE else None


def _working_order(decider: Decider, order_id: str) -> tuple[list[Event], Order | None]:
    """The open order as it will be after the replacement, if any, that a report on it implies."""
    order = _open_order(decider, order_id)
    old = None if order is None else _order_to_replace(decider, order)
    if order is None or old is None:
        return [], order
    event = _replacement(decider, old, order)
    return [event], msgspec.structs.replace(
        order,
        status=event.status,
        filled_qty=event.filled_qty,
        filled_value=event.filled_value,
        held_cash=event.held_cash,
        held_qty=event.held_qty,
    )


def _replacement(decider: Decider, old: Order, new: Order) -> OrderReplaced:
    assert new.qty is not None, f"order {new.order_id} replaces another without a quantity"
    leaves_qty = max(new.qty - old.filled_qty, ZERO)
    total_cash = old.held_cash + new.held_cash
    total_qty = old.held_qty + new.held_qty
    held_cash = min(total_cash, quantize_money(new.hold_rate * leaves_qty, ROUND_UP))
    held_qty = min(total_qty, leaves_qty)
    status = new.status
    if status is OrderStatus.PENDING_NEW:
        status = OrderStatus.PARTIALLY_FILLED if old.filled_qty else OrderStatus.NEW
    return OrderReplaced(
        account_id=old.account_id,
        order_id=old.order_id,
        new_order_id=new.order_id,
        symbol=old.symbol,
        side=old.side,
        currency=_currency(decider, old),
        status=status,
        filled_qty=old.filled_qty,
        filled_value=old.filled_value,
        held_cash=held_cash,
        held_qty=held_qty,
        released_cash=total_cash - held_cash,
        released_qty=total_qty - held_qty,
    )


def _replacement_rejected(decider: Decider, old: Order, new: Order, reason: str) -> OrderReplaceRejected:
    return OrderReplaceRejected(
        account_id=old.account_id,
        order_id=old.order_id,
        new_order_id=new.order_id,
        symbol=old.symbol,
        side=old.side,
        currency=_currency(decider, old),
        status=_working_status(old) if old.status is OrderStatus.PENDING_REPLACE else old.status,
        reason=reason,
        released_cash=new.held_cash,
        released_qty=new.held_qty,
    )


def _currency(decider: Decider, order: Order) -> str:
    return decider.state.accounts[order.account_id].currency


def _working_status(order: Order) -> OrderStatus:
    return OrderStatus.PARTIALLY_FILLED if order.filled_qty else OrderStatus.NEW


def _status_after_execution(order: Order, *, is_complete: bool) -> OrderStatus:
    if is_complete:
        return OrderStatus.FILLED
    return order.status if order.status in _REQUEST_PENDING else OrderStatus.PARTIALLY_FILLED


def _closing_fields(decider: Decider, order: Order) -> dict[str, Any]:
    return {
        "account_id": order.account_id,
        "order_id": order.order_id,
        "symbol": order.symbol,
        "side": order.side,
        "currency": _currency(decider, order),
        "released_cash": order.held_cash,
        "released_qty": order.held_qty,
    }
