"""InfluxDB 1.x, 2.x and 3.x: bars, through the API that the three have in common."""
