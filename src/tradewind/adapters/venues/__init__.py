"""Venues: places where orders trade."""
