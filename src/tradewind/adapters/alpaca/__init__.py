"""Alpaca's wire formats: how orders, order updates and market data look to Alpaca's clients."""
