"""Care for stored bars: longer bars from shorter ones."""
