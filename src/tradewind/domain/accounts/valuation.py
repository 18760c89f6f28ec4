"""What an account is worth and what it may still buy at given mark prices."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tradewind.domain.decimals import ZERO
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.positions.position import Position

MAINTENANCE_RATE = Decimal("0.3")
"""Maintenance margin of marginable positions; FINRA Rule 4210 asks for 25 % (long) and 30 % (short)."""


def margin_rate(instrument: Instrument, multiplier: Decimal) -> Decimal:
    """The part of a position's value that must be covered by equity: 1 when not marginable, else 1 / multiplier."""
    return 1 / multiplier if instrument.marginable else Decimal(1)


def maintenance_rate(instrument: Instrument, multiplier: Decimal) -> Decimal:
    """The part of a position's value that is shown as maintenance margin: `MAINTENANCE_RATE`, or `margin_rate` if less."""
    rate = margin_rate(instrument, multiplier)
    return min(rate, MAINTENANCE_RATE) if instrument.marginable else rate


def mark_of(position: Position, marks: Mapping[Symbol, Decimal]) -> Decimal:
    """The position's mark price: the latest known, else its average entry price."""
    return marks.get(position.symbol) or position.average_entry_price


def equity(cash: Decimal, positions: Iterable[Position], marks: Mapping[Symbol, Decimal]) -> Decimal:
    """Cash plus the signed market value of all positions."""
    return cash + sum((p.market_value(mark_of(p, marks)) for p in positions), ZERO)


def free_margin(
    cash_available: Decimal,
    multiplier: Decimal,
    positions: Iterable[Position],
    marks: Mapping[Symbol, Decimal],
    instruments: Mapping[Symbol, Instrument],
) -> Decimal:
    """Equity that backs nothing yet: available cash plus position values less their margin requirement.

    The requirement is |value| times `margin_rate` (50 % for a margin account's equities: Regulation T, 12 CFR 220.12),
    so that a short sale's proceeds cannot be spent twice.
    """
    free = cash_available
    for position in positions:
        if not position.qty:
            continue
        value = position.market_value(mark_of(position, marks))
        free += value - abs(value) * margin_rate(instruments[position.symbol], multiplier)
    return free
