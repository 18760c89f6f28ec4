"""Positions: list, get, close."""
