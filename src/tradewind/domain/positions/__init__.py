"""Positions: what an account holds of an instrument."""
