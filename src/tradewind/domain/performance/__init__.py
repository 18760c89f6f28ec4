"""How well an account did: its equity over time, returns, drawdowns, ratios and round trips."""
