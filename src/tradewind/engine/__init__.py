"""Deterministic machines built of the domain: the same commands and market data always give the same events."""
