"""What the formulas of performance need to know of one execution, from whichever engine it comes."""

from decimal import Decimal

import msgspec

from tradewind.domain.identifiers import Symbol
from tradewind.domain.orders.terms import Side


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """`qty` (> 0) bought or sold at `price` for a `fee` at `ts_ns`."""

    symbol: Symbol
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    ts_ns: int

    @property
    def signed_qty(self) -> Decimal:
        """What it adds to the position."""
        return self.qty if self.side is Side.BUY else -self.qty

    @property
    def cash_change(self) -> Decimal:
        """What it adds to the cash, fee included."""
        return -self.signed_qty * self.price - self.fee
