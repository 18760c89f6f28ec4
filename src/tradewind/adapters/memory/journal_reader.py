"""A journal in memory, for tests of those who follow it."""

from collections.abc import Mapping

from tradewind.domain.events import JournalEntry
from tradewind.domain.identifiers import Shard
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.messages import SHARD_COUNT


class MemoryJournalReader:
    """Holds the entries that `append` was given; `is_available = False` makes every read fail."""

    def __init__(self) -> None:
        self.is_available = True
        self._entries: dict[Shard, list[JournalEntry]] = {shard: [] for shard in range(SHARD_COUNT)}

    def append(self, entry: JournalEntry) -> None:
        """Commit an entry; its number must be the shard's next."""
        entries = self._entries[entry.shard]
        if entry.seq != len(entries) + 1:
            raise ValueError(f"entry {entry.seq} does not follow {len(entries)}")
        entries.append(entry)

    async def heads(self) -> Mapping[Shard, int]:
        """See `JournalReader`."""
        self._require_available()
        return {shard: len(entries) for shard, entries in self._entries.items()}

    async def entries(self, shard: Shard, after_seq: int, limit: int) -> list[JournalEntry]:
        """See `JournalReader`."""
        self._require_available()
        return self._entries[shard][after_seq : after_seq + limit]

    def _require_available(self) -> None:
        if not self.is_available:
            raise StoreUnavailable("the journal cannot be reached")
