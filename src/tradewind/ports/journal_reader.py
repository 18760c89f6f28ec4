"""Reading the journal from outside its shards' owners: for those who follow it and may have missed something."""

from collections.abc import Mapping
from typing import Protocol

from tradewind.domain.events import JournalEntry
from tradewind.domain.identifiers import Shard


class JournalReader(Protocol):
    """Reads committed entries. Every method raises `StoreUnavailable`."""

    async def heads(self) -> Mapping[Shard, int]:
        """The number of the last committed event of every shard, 0 for a shard without events."""
        ...

    async def entries(self, shard: Shard, after_seq: int, limit: int) -> list[JournalEntry]:
        """At most `limit` entries of the shard after `after_seq`, in order and without gaps."""
        ...
