"""Names of things. Ids are canonical lower-case UUID strings (version 7 where we make them)."""

from typing import TypeAlias

AccountId: TypeAlias = str
OrderId: TypeAlias = str
ClientOrderId: TypeAlias = str
CommandId: TypeAlias = str
CorrelationId: TypeAlias = str
ExecutionId: TypeAlias = str
Symbol: TypeAlias = str
"""Upper-case ticker; crypto pairs carry a slash: `AAPL`, `BTC/USD`."""
Shard: TypeAlias = int
