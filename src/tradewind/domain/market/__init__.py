"""Instruments and market data: quotes, trades and bars."""
