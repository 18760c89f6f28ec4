"""PostgreSQL: the journal, the state, users and, without InfluxDB, bars."""
