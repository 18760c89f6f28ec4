"""What an account did since a moment, and from it what the account was at that moment.

The past is worked out backwards from the books as they are: cash and quantities now, less everything that was booked
since. So it is exact, needs no snapshot that somebody must remember to take, and reads no more than one day.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.decimals import ZERO
from tradewind.domain.identifiers import Symbol


class Turnover(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over an account's executions in one symbol. Values are quantity times price, without fees."""

    bought_qty: Decimal = ZERO
    bought_value: Decimal = ZERO
    sold_qty: Decimal = ZERO
    sold_value: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def net_qty(self) -> Decimal:
        """What it added to the position."""
        return self.bought_qty - self.sold_qty

    @property
    def cash_change(self) -> Decimal:
        """What it added to the cash, fees included."""
        return self.sold_value - self.bought_value - self.fees


NO_TURNOVER = Turnover()


class AccountActivity(msgspec.Struct, frozen=True, kw_only=True):
    """An account as it is, and what happened to it since a moment; all of one and the same instant.

    `net_deposits` are deposits less withdrawals.
    """

    account: Account
    net_deposits: Decimal
    turnover: Mapping[Symbol, Turnover]

    @property
    def cash_before(self) -> Decimal:
        """The cash at that moment."""
        traded = sum((each.cash_change for each in self.turnover.values()), ZERO)
        return self.account.cash - self.net_deposits - traded

    @property
    def quantities_before(self) -> dict[Symbol, Decimal]:
        """What was held at that moment, signed; without what was flat."""
        symbols = {*self.account.positions, *self.turnover}
        quantities = {symbol: self.qty_before(symbol) for symbol in sorted(symbols)}
        return {symbol: qty for symbol, qty in quantities.items() if qty}

    def qty_before(self, symbol: Symbol) -> Decimal:
        """What was held of the symbol at that moment, signed."""
        held = self.account.positions.get(symbol)
        return (ZERO if held is None else held.qty) - self.turnover.get(symbol, NO_TURNOVER).net_qty


def day_cost(qty: Decimal, turnover: Turnover, previous_close: Decimal) -> Decimal:
    """What the units held now cost for today's profit: signed as `qty`, and not rounded.

    Units that were there at the previous close count at that close; those opened since at the average price of the
    executions since on their side. What was closed since counts as taken from the latter first.
    """
    before = qty - turnover.net_qty
    carried = min(before, qty, key=abs) if before * qty > 0 else ZERO
    opened = qty - carried
    if not opened:
        return carried * previous_close
    if opened > 0:
        return carried * previous_close + opened * turnover.bought_value / turnover.bought_qty
    return carried * previous_close + opened * turnover.sold_value / turnover.sold_qty
