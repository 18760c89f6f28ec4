"""Tells others what was committed: replies to those who wait, events to those who follow.

Neither may stop the writer. A reply that cannot be sent is dropped: its gateway finds the outcome in the database. Events
that cannot be published are read from the journal and published later, in order.
"""

from collections.abc import Iterable, Sequence

import structlog

from tradewind.domain.events import JournalEntry
from tradewind.operations.metrics import EVENTS_PUBLISHED
from tradewind.ports.bus import OutcomePublisher
from tradewind.ports.errors import BusUnavailable
from tradewind.ports.journal import ShardJournal
from tradewind.ports.messages import PublishedEvent, Reply
from tradewind.services.orders.shard import Shard, ShardOutcome, order_ids_of

MAX_EVENTS_A_READ = 1_000

_log = structlog.get_logger(__name__)


class Announcer:
    """Sends replies and events; remembers which shards have events to catch up on."""

    def __init__(self, publisher: OutcomePublisher) -> None:
        self._publisher = publisher
        self._behind: set[int] = set()

    async def announce(self, outcomes: Iterable[tuple[Shard, ShardOutcome]]) -> None:
        """Send what one commit made known."""
        replies: dict[str, list[Reply]] = {}
        events: list[PublishedEvent] = []
        moved: dict[Shard, int] = {}
        for shard, outcome in outcomes:
            for reply_to, batch in outcome.replies.items():
                replies.setdefault(reply_to, []).extend(batch)
            if outcome.published and shard.number not in self._behind:
                events.extend(outcome.published)
                moved[shard] = outcome.published[-1].seq
        try:
            await self._publisher.publish(events, replies)
        except BusUnavailable as error:
            self._behind.update(shard.number for shard in moved)
            _log.warning(
                "outcomes not told",
                replies=sum(map(len, replies.values())),
                events=len(events),
                reason=str(error),
            )
            return
        EVENTS_PUBLISHED.inc(len(events))
        for shard, seq in moved.items():
            shard.published_seq = seq

    async def catch_up(self, journal: ShardJournal, shards: Iterable[Shard]) -> None:
        """Publish from the journal what is committed and not surely published. Gives up until the next call on failure."""
        shards = list(shards)
        late = [shard for shard in shards if shard.published_seq < shard.committed_seq]
        self._behind.difference_update(shard.number for shard in shards)
        self._behind.update(shard.number for shard in late)
        for shard in late:
            while shard.published_seq < shard.committed_seq:
                entries = await journal.unpublished(shard.number, shard.published_seq, MAX_EVENTS_A_READ)
                if not entries:
                    _log.error("the journal lacks entries", shard=shard.number, after_seq=shard.published_seq)
                    break
                await _remember_orders(journal, shard, entries)
                try:
                    await self._publisher.publish([shard.to_published(entry) for entry in entries])
                except BusUnavailable as error:
                    _log.warning("events still not published", shard=shard.number, reason=str(error))
                    return
                shard.published_seq = entries[-1].seq
                EVENTS_PUBLISHED.inc(len(entries))
                _log.debug("events published late", shard=shard.number, count=len(entries))
            self._behind.discard(shard.number)

    def is_behind(self, shards: Iterable[Shard]) -> bool:
        """Whether `catch_up` has work."""
        return any(shard.number in self._behind for shard in shards)


async def _remember_orders(journal: ShardJournal, shard: Shard, entries: Sequence[JournalEntry]) -> None:
    """Bring the closed orders that the entries are about back to memory, so that they are published with them."""
    known = shard.core.state.orders
    unknown = {
        order_id for entry in entries for order_id in order_ids_of(entry.event) if order_id not in known
    }
    if unknown:
        shard.remember(await journal.find_orders([], unknown))
