"""Double-entry postings: what each event moves between the accounts of the books.

Every list of postings sums to zero in each unit (a currency, or the symbol of an instrument).
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

import msgspec

from tradewind.domain.decimals import ZERO
from tradewind.domain.events import (
    CashDeposited,
    CashWithdrawn,
    Event,
    OrderCanceled,
    OrderExecuted,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
    OrderSubmitted,
)
from tradewind.domain.orders.terms import Side


class LedgerAccount(StrEnum):
    """The accounts of the books that each trading account has."""

    CASH_AVAILABLE = "cash:available"
    CASH_HELD = "cash:held"
    POSITION_AVAILABLE = "position:available"
    POSITION_HELD = "position:held"
    MARKET = "market"
    FEES = "fees"
    EXTERNAL = "external"


class Posting(msgspec.Struct, frozen=True, gc=False):
    """`amount` (signed) of `unit` put on one account of the books."""

    ledger_account: LedgerAccount
    unit: str
    amount: Decimal


class LedgerImbalance(AssertionError):
    """A broken invariant: postings of one event do not sum to zero."""


_L = LedgerAccount


def postings_for(event: Event) -> list[Posting]:
    """What `event` moves; an empty list for events that move nothing."""
    match event:
        case CashDeposited():
            return _transfer(_L.EXTERNAL, _L.CASH_AVAILABLE, event.currency, event.amount)
        case CashWithdrawn():
            return _transfer(_L.CASH_AVAILABLE, _L.EXTERNAL, event.currency, event.amount)
        case OrderSubmitted() | OrderReplaceRequested():
            order = event.order
            return _hold(order.symbol, order.side, event.currency, order.held_cash, order.held_qty)
        case OrderExecuted():
            return _execution(event)
        case OrderRejected() | OrderCanceled() | OrderExpired() | OrderReplaced() | OrderReplaceRejected():
            return _hold(event.symbol, event.side, event.currency, -event.released_cash, -event.released_qty)
        case _:
            return []


def require_balanced(postings: Iterable[Posting]) -> None:
    """Raise `LedgerImbalance` unless the postings sum to zero in each unit."""
    sums: dict[str, Decimal] = {}
    for posting in postings:
        sums[posting.unit] = sums.get(posting.unit, ZERO) + posting.amount
    for unit, amount in sums.items():
        if amount:
            raise LedgerImbalance(f"postings in {unit} sum to {amount}, not to zero")


def _transfer(source: LedgerAccount, target: LedgerAccount, unit: str, amount: Decimal) -> list[Posting]:
    if not amount:
        return []
    return [Posting(source, unit, -amount), Posting(target, unit, amount)]


def _hold(symbol: str, side: Side, currency: str, cash: Decimal, qty: Decimal) -> list[Posting]:
    signed_qty = qty if side is Side.SELL else -qty
    return [
        *_transfer(_L.CASH_AVAILABLE, _L.CASH_HELD, currency, cash),
        *_transfer(_L.POSITION_AVAILABLE, _L.POSITION_HELD, symbol, signed_qty),
    ]


def _execution(event: OrderExecuted) -> list[Posting]:
    signed_qty = event.qty if event.side is Side.BUY else -event.qty
    return [
        *_hold(event.symbol, event.side, event.currency, -event.released_cash, -event.released_qty),
        *_transfer(_L.CASH_AVAILABLE, _L.MARKET, event.currency, signed_qty * event.price),
        *_transfer(_L.MARKET, _L.POSITION_AVAILABLE, event.symbol, signed_qty),
        *_transfer(_L.CASH_AVAILABLE, _L.FEES, event.currency, event.fee),
    ]
