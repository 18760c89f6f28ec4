"""Reads committed journal entries from PostgreSQL, for followers that do not own the shards."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.postgres.sessions import reading
from tradewind.domain.events import JournalEntry, decode_event
from tradewind.domain.identifiers import Shard

_HEADS = text("SELECT shard, last_seq FROM shards")
# The payload as text: the decoder reads exactly what the writer encoded.
_ENTRIES = text(
    "SELECT seq, ts_ns, correlation_id, payload::text AS payload FROM journal"
    " WHERE shard = :shard AND seq > :after_seq ORDER BY seq LIMIT :limit"
)


class PostgresJournalReader:
    """Implements `tradewind.ports.journal_reader.JournalReader`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def heads(self) -> Mapping[Shard, int]:
        """The number of the last committed event of every shard."""
        async with reading(self._engine) as connection:
            rows = (await connection.execute(_HEADS)).all()
        return {row.shard: row.last_seq for row in rows}

    async def entries(self, shard: Shard, after_seq: int, limit: int) -> list[JournalEntry]:
        """At most `limit` entries of the shard after `after_seq`, in order."""
        values = {"shard": shard, "after_seq": after_seq, "limit": limit}
        async with reading(self._engine) as connection:
            rows = (await connection.execute(_ENTRIES, values)).all()
        return [
            JournalEntry(shard, row.seq, row.ts_ns, row.correlation_id, decode_event(row.payload))
            for row in rows
        ]
