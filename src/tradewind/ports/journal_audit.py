"""Reading everything that is stored, for the comparison of the journal with the state tables."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tradewind.domain.identifiers import Shard
from tradewind.engine.verification import JournalPage, StoredShard


class JournalSnapshot(Protocol):
    """What was committed at one moment. Every method raises `StoreUnavailable`."""

    async def shards(self) -> list[Shard]:
        """All shards, in order."""
        ...

    def pages(self, shard: Shard) -> AsyncIterator[JournalPage]:
        """The shard's events from the first, with their ledger lines; the last page may hold no event."""
        ...

    async def stored(self, shard: Shard) -> StoredShard:
        """What is stored of the shard beside its events."""
        ...


class JournalAudit(Protocol):
    """Opens snapshots; writers are not disturbed."""

    def snapshot(self) -> AbstractAsyncContextManager[JournalSnapshot]:
        """A snapshot, until the context ends. Raises `StoreUnavailable`."""
        ...
