"""Redis (or Valkey): carries commands, replies, events and market data. It may be flushed at any moment."""
