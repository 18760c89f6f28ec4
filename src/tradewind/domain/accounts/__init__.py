"""Accounts: balances, positions and open orders of one owner."""
