"""Decisions about what a client asks of its orders and positions."""

from tradewind.domain.accounts.account import Account
from tradewind.domain.commands import (
    CancelAllOrders,
    CancelOrder,
    ClosePosition,
    ReplaceOrder,
    SubmitOrder,
)
from tradewind.domain.decimals import ZERO, floor_to_step, format_decimal
from tradewind.domain.events import (
    Event,
    OrderCancelRequested,
    OrderReplaceRequested,
    OrderSubmitted,
)
from tradewind.domain.market.instrument import AssetClass
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.domain.orders.validation import OrderTerms, refuse_terms
from tradewind.domain.refusal import Refusal
from tradewind.domain.reject_codes import RejectCode
from tradewind.domain.risk.holds import Hold
from tradewind.domain.risk.rules import assess, refuse_trading
from tradewind.engine.decisions.context import Decider, refused, unknown_account

SUBMISSION_STEP_NS = 1_000
"""Submission times of an account differ by at least a microsecond: clients page by them."""

_TERMS = (
    "symbol",
    "side",
    "order_type",
    "time_in_force",
    "qty",
    "notional",
    "limit_price",
    "stop_price",
    "extended_hours",
)


def submit_order(decider: Decider, command: SubmitOrder, now_ns: int) -> list[Event]:
    """Take the order, refuse it, or recognise it as a repeat (no event)."""
    account = decider.account(command.account_id)
    if account is None:
        return [*refused(command, unknown_account(command.account_id))]
    known = decider.state.order_by_client_id(command.account_id, command.client_order_id)
    if known is not None:
        return [] if _has_same_terms(known, command) else [*refused(command, _client_id_conflict(command))]
    instrument = decider.risk.instruments.get(command.symbol)
    if instrument is None:
        return [*refused(command, _unknown_symbol(command.symbol))]
    refusal = refuse_trading(account, instrument, decider.risk.limits) or refuse_terms(
        _terms_of(command), instrument
    )
    if refusal is not None:
        return [*refused(command, refusal)]
    submitted_at_ns = _submission_time(account, now_ns)
    order = Order(
        order_id=command.order_id,
        account_id=command.account_id,
        client_order_id=command.client_order_id,
        symbol=command.symbol,
        side=command.side,
        order_type=command.order_type,
        time_in_force=command.time_in_force,
        qty=command.qty,
        notional=command.notional,
        limit_price=command.limit_price,
        stop_price=command.stop_price,
        extended_hours=command.extended_hours,
        submitted_at_ns=submitted_at_ns,
        updated_at_ns=submitted_at_ns,
    )
    hold = assess(order, account, decider.risk)
    if isinstance(hold, Refusal):
        return [*refused(command, hold)]
    _put_hold(order, hold)
    return [
        OrderSubmitted(
            account_id=command.account_id, order_id=command.order_id, currency=account.currency, order=order
        )
    ]


def close_position(decider: Decider, command: ClosePosition, now_ns: int) -> list[Event]:
    """A market order for the position's other side: all of it, a quantity, or a percentage rounded down to the lot."""
    account = decider.account(command.account_id)
    if account is None:
        return [*refused(command, unknown_account(command.account_id))]
    position = account.positions.get(command.symbol)
    instrument = decider.risk.instruments.get(command.symbol)
    if instrument is None or position is None or not position.qty:
        refusal = Refusal(
            code=RejectCode.POSITION_NOT_FOUND,
            message="position does not exist",
            field="symbol",
            value=command.symbol,
            allowed="a symbol that the account holds",
        )
        return [*refused(command, refusal)]
    held = abs(position.qty)
    if command.percentage is not None and not ZERO < command.percentage <= 100:
        refusal = Refusal(
            code=RejectCode.PERCENTAGE_OUT_OF_RANGE,
            message="percentage must be greater than 0 and at most 100",
            field="percentage",
            value=format_decimal(command.percentage),
            allowed="greater than 0, at most 100",
        )
        return [*refused(command, refusal)]
    qty = held if command.qty is None else command.qty
    if command.percentage is not None:
        qty = floor_to_step(held * command.percentage / 100, instrument.lot_size)
    is_crypto = instrument.asset_class is AssetClass.CRYPTO
    submission = SubmitOrder(
        account_id=command.account_id,
        order_id=command.order_id,
        client_order_id=command.client_order_id,
        symbol=command.symbol,
        side=Side.SELL if position.qty > 0 else Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC if is_crypto else TimeInForce.DAY,
        qty=qty,
    )
    return submit_order(decider, submission, now_ns)


def cancel_order(decider: Decider, command: CancelOrder, now_ns: int) -> list[Event]:
    """Ask the venue; a repeat while that request is pending changes nothing."""
    order = decider.state.orders.get(command.order_id)
    if order is None or order.account_id != command.account_id:
        return [*refused(command, _order_not_found(command.order_id))]
    if order.status is OrderStatus.PENDING_CANCEL:
        return []
    if not order.is_open:
        return [*refused(command, _order_terminal(order))]
    if order.status is OrderStatus.PENDING_REPLACE:
        refusal = Refusal(
            code=RejectCode.ORDER_BEING_REPLACED,
            message="cannot cancel order in pending_replace status",
            field="order_id",
            value=order.order_id,
            allowed="cancel again when the replacement is done",
        )
        return [*refused(command, refusal)]
    return [OrderCancelRequested(account_id=order.account_id, order_id=order.order_id)]


def cancel_all_orders(decider: Decider, command: CancelAllOrders, now_ns: int) -> list[Event]:
    """Every open order that is not being cancelled or replaced already, oldest first."""
    account = decider.account(command.account_id)
    if account is None:
        return [*refused(command, unknown_account(command.account_id))]
    busy = (OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)
    return [
        OrderCancelRequested(account_id=order.account_id, order_id=order.order_id)
        for order in account.open_orders.values()
        if order.status not in busy
    ]


def replace_order(decider: Decider, command: ReplaceOrder, now_ns: int) -> list[Event]:
    """Check the new terms as a new order's; hold what they need on top of what the old order holds."""
    account = decider.account(command.account_id)
    if account is None:
        return [*refused(command, unknown_account(command.account_id))]
    old = decider.state.orders.get(command.order_id)
    if old is None or old.account_id != command.account_id:
        return [*refused(command, _order_not_found(command.order_id))]
    known = decider.state.order_by_client_id(command.account_id, command.client_order_id)
    if known is not None:
        return (
            [] if _is_same_replacement(known, command) else [*refused(command, _client_id_conflict(command))]
        )
    refusal = _refuse_replacing(old, command)
    if refusal is not None:
        return [*refused(command, refusal)]
    new = _replacement(old, command, _submission_time(account, now_ns))
    instrument = decider.risk.instruments[old.symbol]
    refusal = refuse_trading(account, instrument, decider.risk.limits) or refuse_terms(
        _terms_of(new), instrument
    )
    if refusal is not None:
        return [*refused(command, refusal)]
    hold = _assess_replacement(decider, account, old, new)
    if isinstance(hold, Refusal):
        return [*refused(command, hold)]
    _put_hold(new, hold)
    new.filled_qty = new.filled_value = ZERO
    return [
        OrderReplaceRequested(
            account_id=old.account_id, order_id=old.order_id, currency=account.currency, order=new
        )
    ]


def _assess_replacement(decider: Decider, account: Account, old: Order, new: Order) -> Hold | Refusal:
    """The hold that the new order needs beyond the old one's."""
    if old.held_qty:
        extra_qty = max(new.leaves_qty - old.held_qty, ZERO)
        if extra_qty <= account.positions[old.symbol].available_qty:
            return Hold(ZERO, extra_qty, ZERO)
        return assess(new, account, decider.risk)
    # What the old order holds becomes free with it.
    hold = assess(new, account, decider.risk, freed_cash=old.held_cash)
    if isinstance(hold, Refusal):
        return hold
    return Hold(max(hold.cash - old.held_cash, ZERO), hold.qty, hold.rate)


def _refuse_replacing(old: Order, command: ReplaceOrder) -> Refusal | None:
    if not old.is_open:
        return _order_terminal(old)
    if old.status not in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED) or old.qty is None:
        what = "a notional order" if old.qty is None else f"order in {old.status} status"
        return Refusal(
            code=RejectCode.ORDER_NOT_REPLACEABLE,
            message=f"cannot replace {what}",
            field="order_id",
            value=old.order_id,
            allowed="quantity orders in status new or partially_filled",
        )
    if _asks_for_nothing_new(command, old):
        return Refusal(
            code=RejectCode.ORDER_UNCHANGED,
            message="order parameters are not changed",
            allowed="another qty, limit_price, stop_price or time_in_force",
        )
    if command.qty is not None and command.qty <= old.filled_qty:
        return Refusal(
            code=RejectCode.QTY_ALREADY_FILLED,
            message="qty must be greater than what is filled",
            field="qty",
            value=format_decimal(command.qty),
            allowed=f"greater than {format_decimal(old.filled_qty)}",
        )
    return None


def _replacement(old: Order, command: ReplaceOrder, submitted_at_ns: int) -> Order:
    return Order(
        order_id=command.new_order_id,
        account_id=old.account_id,
        client_order_id=command.client_order_id,
        symbol=old.symbol,
        side=old.side,
        order_type=old.order_type,
        time_in_force=command.time_in_force or old.time_in_force,
        qty=old.qty if command.qty is None else command.qty,
        limit_price=old.limit_price if command.limit_price is None else command.limit_price,
        stop_price=old.stop_price if command.stop_price is None else command.stop_price,
        extended_hours=old.extended_hours,
        submitted_at_ns=submitted_at_ns,
        updated_at_ns=submitted_at_ns,
        replaces=old.order_id,
        # So that the rules look at what is left; the fills themselves carry over when the venue has replaced.
        filled_qty=old.filled_qty,
        filled_value=old.filled_value,
    )


def _put_hold(order: Order, hold: Hold) -> None:
    order.held_cash, order.held_qty, order.hold_rate = hold.cash, hold.qty, hold.rate


def _terms_of(source: SubmitOrder | Order) -> OrderTerms:
    return OrderTerms(
        order_type=source.order_type,
        time_in_force=source.time_in_force,
        qty=source.qty,
        notional=source.notional,
        limit_price=source.limit_price,
        stop_price=source.stop_price,
    )


def _submission_time(account: Account, now_ns: int) -> int:
    return max(now_ns, account.last_submitted_ns + SUBMISSION_STEP_NS)


def _has_same_terms(order: Order, command: SubmitOrder) -> bool:
    return all(getattr(order, term) == getattr(command, term) for term in _TERMS)


def _is_same_replacement(order: Order, command: ReplaceOrder) -> bool:
    return order.replaces == command.order_id and _asks_for_nothing_new(command, order)


def _asks_for_nothing_new(command: ReplaceOrder, order: Order) -> bool:
    asked = (
        (command.qty, order.qty),
        (command.limit_price, order.limit_price),
        (command.stop_price, order.stop_price),
        (command.time_in_force, order.time_in_force),
    )
    return all(new is None or new == current for new, current in asked)


def _client_id_conflict(command: SubmitOrder | ReplaceOrder) -> Refusal:
    return Refusal(
        code=RejectCode.CLIENT_ORDER_ID_CONFLICT,
        message="client_order_id must be unique",
        field="client_order_id",
        value=command.client_order_id,
        allowed="an id that no other order of the account has, or the same order again",
    )


def _unknown_symbol(symbol: str) -> Refusal:
    return Refusal(
        code=RejectCode.UNKNOWN_SYMBOL,
        message=f'asset "{symbol}" not found',
        field="symbol",
        value=symbol,
        allowed="symbols listed by /v2/assets",
    )


def _order_not_found(order_id: str) -> Refusal:
    return Refusal(
        code=RejectCode.ORDER_NOT_FOUND,
        message=f"order not found for {order_id}",
        field="order_id",
        value=order_id,
    )


def _order_terminal(order: Order) -> Refusal:
    return Refusal(
        code=RejectCode.ORDER_TERMINAL,
        message=f'order is already in "{order.status}" state',
        field="order_id",
        value=order.order_id,
        allowed="open orders",
    )
