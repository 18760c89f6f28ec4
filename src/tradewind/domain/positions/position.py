"""A position: quantity, cost and realised profit of one instrument in one account."""

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from tradewind.domain.decimals import ZERO, quantize_money
from tradewind.domain.identifiers import Symbol
from tradewind.domain.orders.terms import Side

_AVERAGE_PRICE_QUANTUM = Decimal("0.000000001")


class PositionChange(msgspec.Struct, frozen=True):
    """What one execution does to a position: the cost it adds (signed) and the profit it realises."""

    cost_change: Decimal
    realised_pnl: Decimal


class Position(msgspec.Struct):
    """Signed quantity (negative when short) and signed cost basis at average entry price.

    `held_qty` is the (absolute) part reserved for open orders that reduce the position. `realised_pnl` is the sum
    over the position's whole history, before fees.
    """

    symbol: Symbol
    qty: Decimal = ZERO
    cost_basis: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    held_qty: Decimal = ZERO

    @property
    def available_qty(self) -> Decimal:
        """Units (absolute) that no open order has reserved."""
        return abs(self.qty) - self.held_qty

    @property
    def average_entry_price(self) -> Decimal:
        """Cost per unit to nine decimals (half to even); zero when flat."""
        if not self.qty:
            return ZERO
        return (self.cost_basis / self.qty).quantize(_AVERAGE_PRICE_QUANTUM, ROUND_HALF_EVEN)

    def reduced_by(self, side: Side) -> bool:
        """Whether an execution on `side` makes the position smaller."""
        return (self.qty > 0 and side is Side.SELL) or (self.qty < 0 and side is Side.BUY)

    def market_value(self, mark_price: Decimal) -> Decimal:
        """Signed value at `mark_price`."""
        return self.qty * mark_price

    def unrealised_pnl(self, mark_price: Decimal) -> Decimal:
        """Profit that closing at `mark_price` would realise, before fees."""
        return self.qty * mark_price - self.cost_basis

    def change_for(self, side: Side, qty: Decimal, price: Decimal) -> PositionChange:
        """What an execution of `qty` (> 0) at `price` would change.

        The part that reduces the position releases cost at the average entry price (rounded half to even to the
        finest unit of the books, the last unit releases all that is left); a part beyond flat opens the other side.
        """
        signed_qty = qty if side is Side.BUY else -qty
        if not self.reduced_by(side):
            return PositionChange(signed_qty * price, ZERO)
        closed_qty = min(qty, abs(self.qty))
        if closed_qty == abs(self.qty):
            released_cost = self.cost_basis
        else:
            released_cost = quantize_money(self.cost_basis * closed_qty / abs(self.qty))
        closed_signed = closed_qty if side is Side.BUY else -closed_qty
        opened_cost = (signed_qty - closed_signed) * price
        realised = -closed_signed * price - released_cost
        return PositionChange(opened_cost - released_cost, realised)

    def book(self, side: Side, qty: Decimal, change: PositionChange) -> None:
        """Apply an execution whose effect `change_for` computed."""
        self.qty += qty if side is Side.BUY else -qty
        self.cost_basis += change.cost_change
        self.realised_pnl += change.realised_pnl
