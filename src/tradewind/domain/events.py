"""Every event of a trading core: past participles, frozen, and complete.

An event says all that is needed to change the state, so that folding the journal gives the state again. Amounts are
in the account's currency unless said; `released_*` is what leaves the order's hold.
"""

from decimal import Decimal

import msgspec

from tradewind.domain.identifiers import AccountId, ClientOrderId, CorrelationId, ExecutionId, OrderId, Symbol
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.orders.terms import Side
from tradewind.domain.refusal import Refusal


class AccountOpened(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An empty account exists."""

    account_id: AccountId
    account_number: str
    currency: str
    multiplier: Decimal


class CashDeposited(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Money came in from outside."""

    account_id: AccountId
    currency: str
    amount: Decimal


class CashWithdrawn(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Money went out."""

    account_id: AccountId
    currency: str
    amount: Decimal


class TradingHalted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """New orders of the account are refused from here on."""

    account_id: AccountId
    reason: str


class TradingResumed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """New orders of the account are taken again."""

    account_id: AccountId


class CommandRefused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A command was refused; nothing else changed. `command` is the name of its type."""

    account_id: AccountId
    command: str
    refusal: Refusal
    order_id: OrderId | None = None
    client_order_id: ClientOrderId | None = None


class OrderSubmitted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order passed every rule; `order` is its first state, with its holds. It goes to its venue after the commit."""

    account_id: AccountId
    order_id: OrderId
    currency: str
    order: Order


class OrderAcknowledged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue works the order."""

    account_id: AccountId
    order_id: OrderId


class OrderRejected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue did not take the order."""

    account_id: AccountId
    order_id: OrderId
    symbol: Symbol
    side: Side
    currency: str
    reason: str
    released_cash: Decimal
    released_qty: Decimal


class OrderExecuted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An execution was booked: `qty` at `price`, the order now in `status`, the position at `position_qty`."""

    account_id: AccountId
    order_id: OrderId
    symbol: Symbol
    side: Side
    currency: str
    execution_id: ExecutionId
    qty: Decimal
    price: Decimal
    fee: Decimal
    executed_at_ns: int
    status: OrderStatus
    position_qty: Decimal
    cost_change: Decimal
    realised_pnl: Decimal
    released_cash: Decimal
    released_qty: Decimal


class OrderCancelRequested(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The owner asked to cancel; the venue is asked after the commit."""

    account_id: AccountId
    order_id: OrderId


class OrderCancelRejected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue refused to cancel; the order is back in `status`."""

    account_id: AccountId
    order_id: OrderId
    status: OrderStatus
    reason: str


class OrderCanceled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What was left of the order is cancelled."""

    account_id: AccountId
    order_id: OrderId
    symbol: Symbol
    side: Side
    currency: str
    released_cash: Decimal
    released_qty: Decimal


class OrderExpired(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The order's time in force ended."""

    account_id: AccountId
    order_id: OrderId
    symbol: Symbol
    side: Side
    currency: str
    released_cash: Decimal
    released_qty: Decimal


class OrderReplaceRequested(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The owner asked for other terms. `order` is the new order's first state: its holds come on top of the old one's."""

    account_id: AccountId
    order_id: OrderId
    currency: str
    order: Order


class OrderReplaced(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The new order works in place of the old one.

    `released_cash` and `released_qty` leave the holds of the two; what stays, `held_cash` and `held_qty`, is the new
    order's. `filled_qty` and `filled_value` carry on from the old order; `status` is the new order's.
    """

    account_id: AccountId
    order_id: OrderId
    new_order_id: OrderId
    symbol: Symbol
    side: Side
    currency: str
    status: OrderStatus
    filled_qty: Decimal
    filled_value: Decimal
    held_cash: Decimal
    held_qty: Decimal
    released_cash: Decimal
    released_qty: Decimal


class OrderReplaceRejected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The replacement did not happen: the new order is rejected, and the old one, if open, is back in `status`."""

    account_id: AccountId
    order_id: OrderId
    new_order_id: OrderId
    symbol: Symbol
    side: Side
    currency: str
    status: OrderStatus
    reason: str
    released_cash: Decimal
    released_qty: Decimal


Event = (
    AccountOpened
    | CashDeposited
    | CashWithdrawn
    | TradingHalted
    | TradingResumed
    | CommandRefused
    | OrderSubmitted
    | OrderAcknowledged
    | OrderRejected
    | OrderExecuted
    | OrderCancelRequested
    | OrderCancelRejected
    | OrderCanceled
    | OrderExpired
    | OrderReplaceRequested
    | OrderReplaced
    | OrderReplaceRejected
)


class JournalEntry(msgspec.Struct, frozen=True):
    """An event in its place: `seq` counts a shard's events from 1 without gaps, `ts_ns` is when it was decided."""

    shard: int
    seq: int
    ts_ns: int
    correlation_id: CorrelationId
    event: Event


_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode_event(event: Event) -> bytes:
    """The JSON text that the journal stores; the same event always gives the same bytes."""
    return _ENCODER.encode(event)


def decode_event(text: bytes | str) -> Event:
    """Read back what `encode_event` wrote; raises `msgspec.ValidationError` on anything else."""
    return _DECODER.decode(text)
