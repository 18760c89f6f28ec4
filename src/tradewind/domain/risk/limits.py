"""The limits that an operator sets."""

from decimal import Decimal

import msgspec


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on single orders and on an account's open orders."""

    max_order_notional: Decimal = Decimal(1_000_000)
    max_open_orders: int = 100_000
