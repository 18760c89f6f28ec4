"""The account and what it may still buy."""
