"""Floors: what the machine can do when one part of an order's way stands alone."""
