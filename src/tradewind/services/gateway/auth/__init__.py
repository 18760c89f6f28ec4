"""Logging in, refreshing and logging out; making users and API keys."""
