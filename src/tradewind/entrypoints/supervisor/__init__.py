"""Starts processes, keeps them running, shows what they print, and stops them in order."""
