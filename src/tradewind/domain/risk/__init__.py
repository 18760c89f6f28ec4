"""Risk rules: what must hold before an order is taken."""
