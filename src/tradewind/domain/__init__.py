"""Values and rules of trading: pure, without clocks, input/output or floats for money."""
