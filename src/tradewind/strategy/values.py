"""Values that a strategy is given and cannot change."""

from decimal import Decimal

import msgspec

from tradewind.domain.decimals import ZERO
from tradewind.domain.identifiers import ClientOrderId, ExecutionId, Symbol
from tradewind.domain.orders.terms import Side


class Position(msgspec.Struct, frozen=True):
    """What the account holds of a symbol: signed quantity (negative when short) and average entry price."""

    symbol: Symbol
    qty: Decimal = ZERO
    average_entry_price: Decimal = ZERO

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held."""
        return not self.qty


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution: `qty` units at `price`; `position_qty` is the signed position after it.

    `client_order_id` is None when the order is not known to this strategy any more.
    """

    symbol: Symbol
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    realised_pnl: Decimal
    position_qty: Decimal
    executed_at_ns: int
    execution_id: ExecutionId
    client_order_id: ClientOrderId | None
