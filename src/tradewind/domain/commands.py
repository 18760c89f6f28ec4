"""Every command that a trading core obeys. Commands are verbs, frozen, and say nothing about time.

What a venue reports (`tradewind.domain.venue_reports`) enters the core as commands too.
"""

from decimal import Decimal

import msgspec

from tradewind.domain.identifiers import AccountId, ClientOrderId, OrderId, Symbol
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
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

PROTOCOL_VERSION = 1
"""Version of commands and events on the wire and in the journal; raised when one changes its meaning."""


class OpenAccount(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Open an empty account. `multiplier` is its margin multiplier: 1 (cash account, no shorting) or 2 (Reg T)."""

    account_id: AccountId
    account_number: str
    currency: str = "USD"
    multiplier: Decimal = Decimal(1)


class DepositCash(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Pay `amount` (> 0) into an account."""

    account_id: AccountId
    amount: Decimal


class WithdrawCash(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Pay `amount` (> 0) out of an account; refused when that much is not free."""

    account_id: AccountId
    amount: Decimal


class SubmitOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Take a new order. Exactly one of `qty` and `notional` is set."""

    account_id: AccountId
    order_id: OrderId
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


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask the venue to cancel an open order."""

    account_id: AccountId
    order_id: OrderId


class CancelAllOrders(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask the venue to cancel every open order of an account."""

    account_id: AccountId


class ReplaceOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Replace an open order by one with other terms; None keeps a term. `qty` is the new total."""

    account_id: AccountId
    order_id: OrderId
    new_order_id: OrderId
    client_order_id: ClientOrderId
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None


class ClosePosition(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Close a position at the market: all of it, `qty` units, or `percentage` (0-100] of it."""

    account_id: AccountId
    order_id: OrderId
    client_order_id: ClientOrderId
    symbol: Symbol
    qty: Decimal | None = None
    percentage: Decimal | None = None


class HaltTrading(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Refuse new orders of `account_id` from now on; cancels still pass."""

    account_id: AccountId
    reason: str


class ResumeTrading(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Take new orders of `account_id` again."""

    account_id: AccountId


class MarkPrices(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell the core the latest prices. They decide holds and buying power and leave no event of their own."""

    prices: dict[Symbol, Decimal]


ClientCommand = (
    OpenAccount
    | DepositCash
    | WithdrawCash
    | SubmitOrder
    | CancelOrder
    | CancelAllOrders
    | ReplaceOrder
    | ClosePosition
    | HaltTrading
    | ResumeTrading
)
"""What may arrive over the bus."""

VenueReport = (
    VenueAccepted
    | VenueRejected
    | VenueExecution
    | VenueCanceled
    | VenueExpired
    | VenueReplaced
    | VenueCancelRejected
    | VenueReplaceRejected
)

Command = ClientCommand | VenueReport | MarkPrices
