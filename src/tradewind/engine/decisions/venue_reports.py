"""Decisions about what a venue reports. A repeated or late report changes nothing (no event)."""

from decimal import Decimal
from typing import Any

from tradewind.domain.decimals import ZERO
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
    return [OrderAcknowledged(account_id=order.account_id, order_id=order.order_id)]


def rejected(decider: Decider, report: VenueRejected, now_ns: int) -> list[Event]:
    """The venue does not take the order: its holds are released."""
    order = _open_order(decider, report.order_id)
    if order is None or order.filled_qty:
        return []
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
    order = _open_order(decider, report.order_id)
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
        )
    ]


def canceled(decider: Decider, report: VenueCanceled, now_ns: int) -> list[Event]:
    """What is left of the order is off the market."""
    order = _open_order(decider, report.order_id)
    return [] if order is None else [OrderCanceled(**_closing_fields(decider, order))]


def expired(decider: Decider, report: VenueExpired, now_ns: int) -> list[Event]:
    """The order's time in force ended."""
    order = _open_order(decider, report.order_id)
    return [] if order is None else [OrderExpired(**_closing_fields(decider, order))]


def replaced(decider: Decider, report: VenueReplaced, now_ns: int) -> list[Event]:
    """The new order takes over: its fills carry on, and its hold is what its own terms need."""
    old = _open_order(decider, report.order_id)
    new = _open_order(decider, report.new_order_id)
    if old is None or new is None or old.status is not OrderStatus.PENDING_REPLACE or new.qty is None:
        return []
    leaves_qty = new.qty - old.filled_qty
    total_cash = old.held_cash + new.held_cash
    total_qty = old.held_qty + new.held_qty
    held_cash = min(total_cash, _rate_hold(new, leaves_qty))
    held_qty = min(total_qty, leaves_qty)
    status = new.status
    if status is OrderStatus.PENDING_NEW:
        status = OrderStatus.PARTIALLY_FILLED if old.filled_qty else OrderStatus.NEW
    return [
        OrderReplaced(
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
    ]


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
    if old is None or new is None:
        return []
    return [
        OrderReplaceRejected(
            account_id=old.account_id,
            order_id=old.order_id,
            new_order_id=new.order_id,
            symbol=old.symbol,
            side=old.side,
            currency=_currency(decider, old),
            status=_working_status(old) if old.status is OrderStatus.PENDING_REPLACE else old.status,
            reason=report.reason,
            released_cash=new.held_cash,
            released_qty=new.held_qty,
        )
    ]


def _open_order(decider: Decider, order_id: str) -> Order | None:
    order = decider.state.orders.get(order_id)
    return order if order is not None and order.is_open else None


def _currency(decider: Decider, order: Order) -> str:
    return decider.state.accounts[order.account_id].currency


def _working_status(order: Order) -> OrderStatus:
    return OrderStatus.PARTIALLY_FILLED if order.filled_qty else OrderStatus.NEW


def _status_after_execution(order: Order, *, is_complete: bool) -> OrderStatus:
    if is_complete:
        return OrderStatus.FILLED
    return order.status if order.status in _REQUEST_PENDING else OrderStatus.PARTIALLY_FILLED


def _rate_hold(order: Order, leaves_qty: Decimal) -> Decimal:
    return order.hold_rate * leaves_qty if order.hold_rate else ZERO


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
