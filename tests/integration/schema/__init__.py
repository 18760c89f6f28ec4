"""The versions of the schema, and databases that were restored."""
