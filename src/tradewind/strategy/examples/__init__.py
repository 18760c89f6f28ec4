"""Strategies to learn from: real, tested, and used by `tradewind up`."""
