"""Exact decimal arithmetic with the rounding direction spelled out at every place that rounds."""

from decimal import ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
ONE = Decimal(1)

MONEY_QUANTUM = Decimal("0.0000000001")
"""Ten decimals: fees, holds and split cost bases are rounded to it. Traded values are exact."""

MAX_MAGNITUDE = Decimal(10) ** 15
"""Prices, quantities and notionals must stay below this, so that products fit the 28 digits of a `Decimal`."""


def quantize_money(amount: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """Round `amount` to the finest unit of the books, half to even unless told otherwise."""
    return amount.quantize(MONEY_QUANTUM, rounding)


def floor_to_step(amount: Decimal, step: Decimal) -> Decimal:
    """Round a non-negative `amount` down to a whole multiple of `step` (> 0)."""
    return amount - amount % step


def is_multiple(amount: Decimal, step: Decimal) -> bool:
    """Whether `amount` is a whole multiple of `step` (> 0)."""
    return not amount % step


def format_decimal(amount: Decimal) -> str:
    """Plain decimal text without exponent and without trailing zeros: `1.0` gives `"1"`, `0E-9` gives `"0"`."""
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
