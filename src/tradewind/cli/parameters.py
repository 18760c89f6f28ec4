"""Types of command-line arguments."""

from decimal import Decimal, InvalidOperation
from typing import Any

import click


class PositiveAmount(click.ParamType[Decimal]):
    """An exact decimal greater than zero."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Read the text; a usage error names what is allowed."""
        try:
            amount = Decimal(value)
        except (InvalidOperation, TypeError, ValueError):
            self.fail(f"{value!r} is not a decimal number", param, ctx)
        if not amount.is_finite() or amount <= 0:
            self.fail(f"{value} must be greater than 0", param, ctx)
        return amount


POSITIVE_AMOUNT = PositiveAmount()
