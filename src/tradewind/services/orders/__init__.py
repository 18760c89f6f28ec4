"""The order service: one writer a shard, from commands to committed events."""
