"""The life of an order as a table: every legal transition is named here, and no other ever happens."""

from enum import StrEnum
from types import MappingProxyType


class OrderStatus(StrEnum):
    """Where an order stands, in Alpaca's words."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    PENDING_CANCEL = "pending_cancel"
    CANCELED = "canceled"
    EXPIRED = "expired"
    PENDING_REPLACE = "pending_replace"
    REPLACED = "replaced"
    REJECTED = "rejected"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can happen to the order any more."""
        return not LEGAL_TRANSITIONS[self]


class IllegalTransition(AssertionError):
    """A broken invariant: the core tried to move an order along an arrow that the table does not have."""


_S = OrderStatus
_ENDS = frozenset({_S.FILLED, _S.CANCELED, _S.EXPIRED})

LEGAL_TRANSITIONS: MappingProxyType[OrderStatus, frozenset[OrderStatus]] = MappingProxyType(
    {
        _S.PENDING_NEW: _ENDS | {_S.NEW, _S.PARTIALLY_FILLED, _S.REJECTED, _S.PENDING_CANCEL},
        _S.NEW: _ENDS | {_S.PARTIALLY_FILLED, _S.PENDING_CANCEL, _S.PENDING_REPLACE, _S.REJECTED},
        _S.PARTIALLY_FILLED: _ENDS | {_S.PARTIALLY_FILLED, _S.PENDING_CANCEL, _S.PENDING_REPLACE},
        # A fill may overtake our request: the request then stays pending. A refused request puts the order back.
        _S.PENDING_CANCEL: _ENDS | {_S.PENDING_CANCEL, _S.NEW, _S.PARTIALLY_FILLED, _S.REJECTED},
        _S.PENDING_REPLACE: _ENDS
        | {_S.PENDING_REPLACE, _S.REPLACED, _S.NEW, _S.PARTIALLY_FILLED, _S.REJECTED},
        _S.FILLED: frozenset(),
        _S.CANCELED: frozenset(),
        _S.EXPIRED: frozenset(),
        _S.REPLACED: frozenset(),
        _S.REJECTED: frozenset(),
    }
)

TERMINAL_STATUSES = frozenset(status for status, after in LEGAL_TRANSITIONS.items() if not after)
OPEN_STATUSES = frozenset(LEGAL_TRANSITIONS) - TERMINAL_STATUSES


def require_legal(before: OrderStatus, after: OrderStatus) -> None:
    """Raise `IllegalTransition` unless the table has an arrow from `before` to `after`."""
    if after not in LEGAL_TRANSITIONS[before]:
        raise IllegalTransition(f"an order cannot go from {before} to {after}")
