"""Every key and channel that the platform uses in Redis."""

MARKET_DATA_CHANNEL = "market:data"
"""Pub/sub: one msgpack list of `MarketEvent` a message."""
LATEST_QUOTES = "market:latest:quotes"
"""Hash: symbol -> msgpack `Quote`."""
LATEST_TRADES = "market:latest:trades"
"""Hash: symbol -> msgpack `Trade`."""
LATEST_BARS = "market:latest:bars"
"""Hash: symbol -> msgpack `Bar` of one minute."""

EVENTS_STREAM = "orders:events"
"""Stream of the committed events of all shards; field `e` holds a msgpack list of `EventNotice`."""


def commands_stream(shard: int) -> str:
    """Stream of command entries; field `c` holds a msgpack list of `CommandEnvelope`."""
    return f"orders:commands:{shard}"


def replies_channel(reply_to: str) -> str:
    """Pub/sub: one msgpack list of `Reply` a message."""
    return f"orders:replies:{reply_to}"
