"""Backups, restores and what the platform makes of a restored database."""
