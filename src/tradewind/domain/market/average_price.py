"""The volume-weighted average price of a bar, rounded alike wherever a bar is made."""

from decimal import ROUND_HALF_EVEN, Decimal

VWAP_QUANTUM = Decimal("0.000000001")
"""Volume-weighted averages are rounded to nine decimals, half to even."""


def volume_weighted_average(value: Decimal, volume: Decimal, close: Decimal) -> Decimal:
    """Traded value over volume; the close where nothing has volume."""
    return (value / volume).quantize(VWAP_QUANTUM, ROUND_HALF_EVEN) if volume else close
