"""Tests that need Docker: `make test-docker` runs them."""
