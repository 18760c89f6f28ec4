"""Round trips: a position's life from flat to flat, as the trade that a trader means.

All that was bought and sold between two flat moments is one round trip, however many executions it took; so
its profit is exact, without any rule of matching lots. An execution that crosses zero ends one and begins
the next.
"""

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from tradewind.domain.decimals import ZERO, quantize_money
from tradewind.domain.identifiers import Symbol
from tradewind.domain.orders.terms import Side
from tradewind.domain.performance.fill import Fill

_AVERAGE_PRICE_QUANTUM = Decimal("0.000000001")


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True):
    """A finished round trip.

    `side` is the side that opened it, `qty` all units that entered. Average prices are to nine decimals
    (half to even); `gross_pnl` is what was received less what was paid, before `fees`.
    """

    symbol: Symbol
    side: Side
    qty: Decimal
    entered_at_ns: int
    exited_at_ns: int
    entry_price: Decimal
    exit_price: Decimal
    entry_value: Decimal
    gross_pnl: Decimal
    fees: Decimal

    @property
    def net_pnl(self) -> Decimal:
        """Profit after fees."""
        return self.gross_pnl - self.fees

    @property
    def return_on_entry(self) -> float | None:
        """Profit after fees as a fraction of the value that entered; None when that is zero."""
        return float(self.net_pnl / self.entry_value) if self.entry_value else None

    @property
    def duration_ns(self) -> int:
        """From the first execution to the last."""
        return self.exited_at_ns - self.entered_at_ns


class _OpenTrip(msgspec.Struct):
    side: Side
    entered_at_ns: int
    entry_qty: Decimal = ZERO
    entry_value: Decimal = ZERO
    exit_qty: Decimal = ZERO
    exit_value: Decimal = ZERO
    fees: Decimal = ZERO


class RoundTripBook:
    """Follows the executions of one account, in their order, and tells when a round trip is complete."""

    def __init__(self) -> None:
        self._open: dict[Symbol, _OpenTrip] = {}

    def book(self, fill: Fill) -> RoundTrip | None:
        """Take the next execution; returns the round trip that it completes, if it does."""
        trip = self._open.get(fill.symbol)
        if trip is None:
            trip = self._open[fill.symbol] = _OpenTrip(fill.side, fill.ts_ns)
        if fill.side is trip.side:
            trip.entry_qty += fill.qty
            trip.entry_value += fill.qty * fill.price
            trip.fees += fill.fee
            return None
        return self._exit(trip, fill)

    def _exit(self, trip: _OpenTrip, fill: Fill) -> RoundTrip | None:
        closed_qty = min(fill.qty, trip.entry_qty - trip.exit_qty)
        opened_qty = fill.qty - closed_qty
        closing_fee = quantize_money(fill.fee * closed_qty / fill.qty) if opened_qty else fill.fee
        trip.exit_qty += closed_qty
        trip.exit_value += closed_qty * fill.price
        trip.fees += closing_fee
        if trip.exit_qty < trip.entry_qty:
            return None
        del self._open[fill.symbol]
        if opened_qty:
            self._open[fill.symbol] = _OpenTrip(
                fill.side,
                fill.ts_ns,
                entry_qty=opened_qty,
                entry_value=opened_qty * fill.price,
                fees=fill.fee - closing_fee,
            )
        return _completed(trip, fill)


def _completed(trip: _OpenTrip, last: Fill) -> RoundTrip:
    gain = trip.exit_value - trip.entry_value
    return RoundTrip(
        symbol=last.symbol,
        side=trip.side,
        qty=trip.entry_qty,
        entered_at_ns=trip.entered_at_ns,
        exited_at_ns=last.ts_ns,
        entry_price=_average(trip.entry_value, trip.entry_qty),
        exit_price=_average(trip.exit_value, trip.exit_qty),
        entry_value=trip.entry_value,
        gross_pnl=gain if trip.side is Side.BUY else -gain,
        fees=trip.fees,
    )


def _average(value: Decimal, qty: Decimal) -> Decimal:
    return (value / qty).quantize(_AVERAGE_PRICE_QUANTUM, ROUND_HALF_EVEN)
