"""The instruments that can be traded."""
