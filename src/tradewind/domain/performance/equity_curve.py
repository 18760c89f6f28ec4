"""An account's equity at given times, from its cash, its executions and the prices of what it held.

    equity(t) = cash(t) + sum over symbols of position(t) * price(t)

price(t) is the last bar's close at or before t, else the price of the account's own last execution. Cash
comes from the executions themselves and from all other movements, so that cash and position change at the
same instant. Everything may be added in any order; memory grows with times and symbols, not with executions.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate, pairwise

import msgspec

from tradewind.domain.decimals import ZERO
from tradewind.domain.identifiers import Symbol
from tradewind.domain.performance.fill import Fill


class Close(msgspec.Struct, frozen=True, gc=False):
    """A bar's closing price, known from `ts_ns` (the bar's end) on."""

    ts_ns: int
    price: Decimal


class EquityPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The account at `ts_ns`. `external_flow` is what came in less what went out since the previous point."""

    ts_ns: int
    equity: Decimal
    cash: Decimal
    external_flow: Decimal


class _SymbolChanges:
    """What one symbol's executions changed between the times of the curve."""

    def __init__(self, points: int) -> None:
        self.qty = [ZERO] * points
        self.last_fill: list[Close | None] = [None] * points

    def add(self, index: int, fill: Fill) -> None:
        self.qty[index] += fill.signed_qty
        last = self.last_fill[index]
        if last is None or fill.ts_ns >= last.ts_ns:
            self.last_fill[index] = Close(fill.ts_ns, fill.price)


class EquityCurve:
    """Collects what happened to an account, then values it at `times_ns` (rising, at least one)."""

    def __init__(self, times_ns: Sequence[int]) -> None:
        if not times_ns or any(a >= b for a, b in pairwise(times_ns)):
            raise ValueError("an equity curve needs at least one time, and rising times")
        self.times_ns = list(times_ns)
        self._cash = [ZERO] * len(times_ns)
        self._external = [ZERO] * len(times_ns)
        self._symbols: dict[Symbol, _SymbolChanges] = {}

    def add_fill(self, fill: Fill) -> None:
        """Book an execution; one after the last time is ignored."""
        index = bisect_left(self.times_ns, fill.ts_ns)
        if index < len(self.times_ns):
            self._cash[index] += fill.cash_change
            changes = self._symbols.get(fill.symbol)
            if changes is None:
                changes = self._symbols[fill.symbol] = _SymbolChanges(len(self.times_ns))
            changes.add(index, fill)

    def add_external_flow(self, ts_ns: int, amount: Decimal) -> None:
        """Book a deposit (> 0) or a withdrawal (< 0): it changes equity, not returns."""
        index = bisect_left(self.times_ns, ts_ns)
        if index < len(self.times_ns):
            self._cash[index] += amount
            self._external[index] += amount

    def add_internal_cash(self, ts_ns: int, amount: Decimal) -> None:
        """Book cash that is neither an execution nor a deposit, such as interest: it counts as earned."""
        index = bisect_left(self.times_ns, ts_ns)
        if index < len(self.times_ns):
            self._cash[index] += amount

    def held_symbols(self) -> list[Symbol]:
        """Symbols whose position is not flat at some time of the curve: those that need prices."""
        return sorted(symbol for symbol, changes in self._symbols.items() if any(accumulate(changes.qty)))

    def points(self, closes: Mapping[Symbol, Iterable[Close]]) -> list[EquityPoint]:
        """The curve, with each symbol's closes in the order of their time."""
        cash = list(accumulate(self._cash))
        equity = list(cash)
        for symbol in self.held_symbols():
            values = self._values(self._symbols[symbol], closes.get(symbol, ()))
            equity = [total + value for total, value in zip(equity, values, strict=True)]
        return [
            EquityPoint(ts_ns=ts_ns, equity=worth, cash=money, external_flow=flow)
            for ts_ns, worth, money, flow in zip(self.times_ns, equity, cash, self._external, strict=True)
        ]

    def _values(self, changes: _SymbolChanges, closes: Iterable[Close]) -> list[Decimal]:
        close_prices = _last_at(self.times_ns, closes)
        fill_price: Decimal | None = None
        qty = ZERO
        values = []
        for index, close_price in enumerate(close_prices):
            qty += changes.qty[index]
            last_fill = changes.last_fill[index]
            if last_fill is not None:
                fill_price = last_fill.price
            price = close_price if close_price is not None else fill_price
            values.append(ZERO if price is None else qty * price)
        return values


def _last_at(times_ns: Sequence[int], closes: Iterable[Close]) -> list[Decimal | None]:
    """For each time the last close at or before it."""
    prices: list[Decimal | None] = []
    upcoming = iter(closes)
    following = next(upcoming, None)
    price: Decimal | None = None
    for ts_ns in times_ns:
        while following is not None and following.ts_ns <= ts_ns:
            price = following.price
            following = next(upcoming, None)
        prices.append(price)
    return prices
