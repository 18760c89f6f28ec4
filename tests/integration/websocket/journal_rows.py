"""Entries written into the journal's tables, without the order service."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.domain.events import JournalEntry, encode_event

INSERT = text(
    "INSERT INTO journal (shard, seq, ts_ns, event_type, account_id, correlation_id, payload)"
    " VALUES (:shard, :seq, :ts_ns, :event_type, :account_id, :correlation_id, CAST(:payload AS json))"
)
ADVANCE = text("UPDATE shards SET last_seq = :seq WHERE shard = :shard")


async def insert_entry(engine: AsyncEngine, new: JournalEntry) -> None:
    """Commit one entry, the next of its shard."""
    row = {
        "shard": new.shard,
        "seq": new.seq,
        "ts_ns": new.ts_ns,
        "event_type": type(new.event).__name__,
        "account_id": new.event.account_id,
        "correlation_id": new.correlation_id,
        "payload": encode_event(new.event).decode(),
    }
    async with engine.begin() as connection:
        await connection.execute(INSERT, row)
        await connection.execute(ADVANCE, {"seq": new.seq, "shard": new.shard})
