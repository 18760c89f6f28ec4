"""The reference: an order API as most platforms build it, one database transaction an order."""
