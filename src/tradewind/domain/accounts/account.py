"""An account: its cash, its positions and its open orders, and what it may still buy."""

from decimal import Decimal

import msgspec

from tradewind.domain.decimals import ONE, ZERO
from tradewind.domain.identifiers import AccountId, OrderId, Symbol
from tradewind.domain.orders.order import Order
from tradewind.domain.positions.position import Position


class Account(msgspec.Struct, kw_only=True):
    """Balances, positions and open orders of one owner.

    `cash` is `cash_available + cash_held`; `multiplier` is the margin multiplier (1 or 2).
    """

    account_id: AccountId
    account_number: str
    currency: str
    multiplier: Decimal
    created_at_ns: int
    cash_available: Decimal = ZERO
    cash_held: Decimal = ZERO
    halt_reason: str | None = None
    last_submitted_ns: int = 0
    positions: dict[Symbol, Position] = msgspec.field(default_factory=dict)
    open_orders: dict[OrderId, Order] = msgspec.field(default_factory=dict)

    @property
    def cash(self) -> Decimal:
        """All cash, held or not; negative when the account borrows."""
        return self.cash_available + self.cash_held

    @property
    def may_short(self) -> bool:
        """Only margin accounts may sell what they do not have."""
        return self.multiplier > ONE
