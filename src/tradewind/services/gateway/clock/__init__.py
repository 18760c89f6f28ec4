"""The market clock."""
