"""Tradewind: a self-hosted trading platform with one engine for backtest, paper and live trading."""

from tradewind.version import __version__

__all__ = ["__version__"]
