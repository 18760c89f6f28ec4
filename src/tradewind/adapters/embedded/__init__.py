"""Private PostgreSQL and Valkey servers from wheels, started directly and supervised by `tradewind up`."""
