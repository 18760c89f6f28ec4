"""Tests of the load test: its figures and its verdict."""
