"""A module that cannot be imported, for the loader's test."""

raise RuntimeError("not today")
