"""One composition root a process: read settings, build adapters, run the service."""
