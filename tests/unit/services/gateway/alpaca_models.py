"""Alpaca's own Python models, which refuse answers that are not as Alpaca's."""

import warnings

with warnings.catch_warnings():
    # The SDK imports a deprecated part of another library.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.trading.models import Asset, Clock, Order, Position, TradeAccount

__all__ = ["Asset", "Clock", "Order", "Position", "TradeAccount"]
