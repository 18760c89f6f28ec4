"""The strategy service: ingests market data and hosts a strategy."""
