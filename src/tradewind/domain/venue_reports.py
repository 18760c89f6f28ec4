"""What a venue says about an order: the execution reports of FIX, one frozen type each."""

from decimal import Decimal

import msgspec

from tradewind.domain.identifiers import AccountId, ExecutionId, OrderId


class VenueAccepted(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """The venue works the order."""

    account_id: AccountId
    order_id: OrderId
    ts_ns: int


class VenueRejected(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """The venue does not take the order."""

    account_id: AccountId
    order_id: OrderId
    reason: str
    ts_ns: int


class VenueExecution(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """One execution: `qty` units at `price`, `fee` in the instrument's currency (negative is a rebate).

    `execution_id` is unique at the venue: a second report with the same id is a repeat and changes nothing.
    `is_complete` says that nothing of the order is left to trade.
    """

    account_id: AccountId
    order_id: OrderId
    execution_id: ExecutionId
    qty: Decimal
    price: Decimal
    fee: Decimal
    is_complete: bool
    ts_ns: int


class VenueCanceled(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """What was left of the order is cancelled: on request, or by the venue (IOC, FOK remainder)."""

    account_id: AccountId
    order_id: OrderId
    ts_ns: int


class VenueExpired(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """The order's time in force ended."""

    account_id: AccountId
    order_id: OrderId
    ts_ns: int


class VenueReplaced(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """The venue works `new_order_id` in place of `order_id`."""

    account_id: AccountId
    order_id: OrderId
    new_order_id: OrderId
    ts_ns: int


class VenueCancelRejected(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """The venue could not cancel: the order works on, or is already done."""

    account_id: AccountId
    order_id: OrderId
    reason: str
    ts_ns: int


class VenueReplaceRejected(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True):
    """The venue could not replace: `order_id` works on (or is done) and `new_order_id` never worked."""

    account_id: AccountId
    order_id: OrderId
    new_order_id: OrderId
    reason: str
    ts_ns: int
