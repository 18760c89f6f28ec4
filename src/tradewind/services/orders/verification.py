"""Verifies the whole journal, shard by shard, against one snapshot of what is stored."""

from collections.abc import AsyncIterator

from tradewind.domain.identifiers import Shard
from tradewind.engine.verification import ShardVerdict, ShardVerifier
from tradewind.ports.journal_audit import JournalAudit, JournalSnapshot


async def verify_journal(audit: JournalAudit) -> AsyncIterator[ShardVerdict]:
    """One verdict a shard, in order. Raises `StoreUnavailable`."""
    async with audit.snapshot() as snapshot:
        for shard in await snapshot.shards():
            yield await verify_shard(snapshot, shard)


async def verify_shard(snapshot: JournalSnapshot, shard: Shard) -> ShardVerdict:
    """The verdict on one shard. Raises `StoreUnavailable`."""
    verifier = ShardVerifier(shard)
    async for page in snapshot.pages(shard):
        verifier.take(page)
    return verifier.finish(await snapshot.stored(shard))
