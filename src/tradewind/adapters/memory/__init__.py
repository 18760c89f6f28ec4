"""Adapters that keep everything in this process: trustworthy fakes for tests, and parts of the backtester."""
