"""Files that users bring."""
