"""Verifies the whole journal, shard by shard, against one snapshot of what is stored."""

from collections.abc import AsyncIterator

from tradewind.engine.verification import ShardVerdict, ShardVerifier
from tradewind.ports.journal_audit import JournalAudit


async def verify_journal(audit: JournalAudit) -> AsyncIterator[ShardVerdict]:
    """One verdict a shard, in order. Raises `StoreUnavailable`."""
    async with audit.snapshot() as snapshot:
        for shard in await snapshot.shards():
            verifier = ShardVerifier(shard)
            async for page in snapshot.pages(shard):
                verifier.take(page)
            yield verifier.finish(await snapshot.stored(shard))
