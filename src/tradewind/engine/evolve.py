"""Folds events into the state: the only code that changes it, used when deciding and when replaying the journal."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.events import (
    AccountOpened,
    CashDeposited,
    CashWithdrawn,
    CommandRefused,
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
    TradingHalted,
    TradingResumed,
)
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.positions.position import Position, PositionChange
from tradewind.engine.core_state import CoreState


def evolve(state: CoreState, event: Event, ts_ns: int) -> None:
    """Apply one event that was decided at `ts_ns`. Raises an `AssertionError` when a broken invariant shows."""
    _HANDLERS[type(event)](state, event, ts_ns)


def _account_opened(state: CoreState, event: AccountOpened, ts_ns: int) -> None:
    assert event.account_id not in state.accounts, f"account {event.account_id} exists"
    state.accounts[event.account_id] = Account(
        account_id=event.account_id,
        account_number=event.account_number,
        currency=event.currency,
        multiplier=event.multiplier,
        created_at_ns=ts_ns,
    )


def _cash_deposited(state: CoreState, event: CashDeposited, ts_ns: int) -> None:
    state.accounts[event.account_id].cash_available += event.amount


def _cash_withdrawn(state: CoreState, event: CashWithdrawn, ts_ns: int) -> None:
    state.accounts[event.account_id].cash_available -= event.amount


def _trading_halted(state: CoreState, event: TradingHalted, ts_ns: int) -> None:
    state.accounts[event.account_id].halt_reason = event.reason


def _trading_resumed(state: CoreState, event: TradingResumed, ts_ns: int) -> None:
    state.accounts[event.account_id].halt_reason = None


def _command_refused(state: CoreState, event: CommandRefused, ts_ns: int) -> None:
    """A refusal changes nothing."""


def _order_submitted(state: CoreState, event: OrderSubmitted, ts_ns: int) -> None:
    _take_order(state, event.order)


def _order_acknowledged(state: CoreState, event: OrderAcknowledged, ts_ns: int) -> None:
    state.orders[event.order_id].move_to(OrderStatus.NEW, ts_ns)


def _order_executed(state: CoreState, event: OrderExecuted, ts_ns: int) -> None:
    account = state.accounts[event.account_id]
    order = state.orders[event.order_id]
    _release(account, order, event.released_cash, event.released_qty)
    order.filled_qty += event.qty
    order.filled_value += event.qty * event.price
    # A new list: shallow copies of the order, made for replies and events, keep theirs.
    order.execution_ids = [*order.execution_ids, event.execution_id]
    signed_value = event.qty * event.price if event.side == "buy" else -event.qty * event.price
    account.cash_available -= signed_value + event.fee
    position = _position(account, event.symbol)
    position.book(event.side, event.qty, PositionChange(event.cost_change, event.realised_pnl))
    assert position.qty == event.position_qty, f"position {event.symbol} is not what the execution says"
    order.move_to(event.status, ts_ns)
    if event.status is OrderStatus.FILLED:
        order.filled_at_ns = event.executed_at_ns
        _close(state, order)


def _order_rejected(state: CoreState, event: OrderRejected, ts_ns: int) -> None:
    order = state.orders[event.order_id]
    _release(state.accounts[event.account_id], order, event.released_cash, event.released_qty)
    order.move_to(OrderStatus.REJECTED, ts_ns)
    order.failed_at_ns = ts_ns
    order.reject_reason = event.reason
    _close(state, order)


def _order_cancel_requested(state: CoreState, event: OrderCancelRequested, ts_ns: int) -> None:
    state.orders[event.order_id].move_to(OrderStatus.PENDING_CANCEL, ts_ns)


def _order_cancel_rejected(state: CoreState, event: OrderCancelRejected, ts_ns: int) -> None:
    state.orders[event.order_id].move_to(event.status, ts_ns)


def _order_canceled(state: CoreState, event: OrderCanceled, ts_ns: int) -> None:
    order = state.orders[event.order_id]
    _release(state.accounts[event.account_id], order, event.released_cash, event.released_qty)
    order.move_to(OrderStatus.CANCELED, ts_ns)
    order.canceled_at_ns = ts_ns
    _close(state, order)


def _order_expired(state: CoreState, event: OrderExpired, ts_ns: int) -> None:
    order = state.orders[event.order_id]
    _release(state.accounts[event.account_id], order, event.released_cash, event.released_qty)
    order.move_to(OrderStatus.EXPIRED, ts_ns)
    order.expired_at_ns = ts_ns
    _close(state, order)


def _order_replace_requested(state: CoreState, event: OrderReplaceRequested, ts_ns: int) -> None:
    state.orders[event.order_id].move_to(OrderStatus.PENDING_REPLACE, ts_ns)
    _take_order(state, event.order)


def _order_replaced(state: CoreState, event: OrderReplaced, ts_ns: int) -> None:
    account = state.accounts[event.account_id]
    old, new = state.orders[event.order_id], state.orders[event.new_order_id]
    account.cash_held -= event.released_cash
    account.cash_available += event.released_cash
    if event.released_qty:
        _position(account, event.symbol).held_qty -= event.released_qty
    old.held_cash = old.held_qty = Decimal(0)
    old.move_to(OrderStatus.REPLACED, ts_ns)
    old.replaced_at_ns = ts_ns
    old.replaced_by = new.order_id
    _close(state, old)
    new.held_cash, new.held_qty = event.held_cash, event.held_qty
    new.filled_qty, new.filled_value = event.filled_qty, event.filled_value
    if event.status is not new.status:
        new.move_to(event.status, ts_ns)


def _order_replace_rejected(state: CoreState, event: OrderReplaceRejected, ts_ns: int) -> None:
    old, new = state.orders[event.order_id], state.orders[event.new_order_id]
    _release(state.accounts[event.account_id], new, event.released_cash, event.released_qty)
    new.move_to(OrderStatus.REJECTED, ts_ns)
    new.failed_at_ns = ts_ns
    new.reject_reason = event.reason
    _close(state, new)
    if event.status is not old.status:
        old.move_to(event.status, ts_ns)


def _take_order(state: CoreState, submitted: Order) -> None:
    # The event keeps the order as it was submitted; the state gets a copy that will change.
    order = msgspec.structs.replace(submitted, execution_ids=[])
    account = state.accounts[order.account_id]
    account.cash_available -= order.held_cash
    account.cash_held += order.held_cash
    if order.held_qty:
        _position(account, order.symbol).held_qty += order.held_qty
    account.last_submitted_ns = order.submitted_at_ns
    state.add(order)


def _release(account: Account, order: Order, cash: Decimal, qty: Decimal) -> None:
    if cash:
        order.held_cash -= cash
        account.cash_held -= cash
        account.cash_available += cash
    if qty:
        order.held_qty -= qty
        _position(account, order.symbol).held_qty -= qty


def _close(state: CoreState, order: Order) -> None:
    assert not order.held_cash, f"closed order {order.order_id} still holds {order.held_cash}"
    assert not order.held_qty, f"closed order {order.order_id} still holds {order.held_qty} units"
    state.closed(order)


def _position(account: Account, symbol: str) -> Position:
    position = account.positions.get(symbol)
    if position is None:
        position = account.positions[symbol] = Position(symbol)
    return position


_HANDLERS: dict[type[Any], Callable[[CoreState, Any, int], None]] = {
    AccountOpened: _account_opened,
    CashDeposited: _cash_deposited,
    CashWithdrawn: _cash_withdrawn,
    TradingHalted: _trading_halted,
    TradingResumed: _trading_resumed,
    CommandRefused: _command_refused,
    OrderSubmitted: _order_submitted,
    OrderAcknowledged: _order_acknowledged,
    OrderRejected: _order_rejected,
    OrderExecuted: _order_executed,
    OrderCancelRequested: _order_cancel_requested,
    OrderCancelRejected: _order_cancel_rejected,
    OrderCanceled: _order_canceled,
    OrderExpired: _order_expired,
    OrderReplaceRequested: _order_replace_requested,
    OrderReplaced: _order_replaced,
    OrderReplaceRejected: _order_replace_rejected,
}
