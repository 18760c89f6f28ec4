"""Tells others what was committed: replies to those who wait, events to those who follow.

Neither may stop the writer. A reply that cannot be sent is dropped: its gateway finds the outcome in the database. Events
that cannot be published are read from the journal and published later, in order.
"""

from collections.abc import Iterable, Sequence

import structlog

from tradewind.operations.metrics import EVENTS_PUBLISHED
from tradewind.ports.bus import OrderEventPublisher, ReplySender
from tradewind.ports.errors import BusUnavailable
from tradewind.ports.journal import ShardJournal
from tradewind.ports.messages import PublishedEvent, Reply
from tradewind.services.orders.shard import Shard, ShardOutcome

MAX_EVENTS_A_READ = 1_000

_log = structlog.get_logger(__name__)


class Announcer:
    """Sends replies and events; remembers which shards have events to catch up on."""

    def __init__(self, replies: ReplySender, events: OrderEventPublisher) -> None:
        self._replies = replies
        self._events = events
        self._behind: set[int] = set()

    async def announce(self, outcomes: Iterable[tuple[Shard, ShardOutcome]]) -> None:
        """Send what one commit made known."""
        replies: dict[str, list[Reply]] = {}
        events: list[PublishedEvent] = []
        moved: list[Shard] = []
        for shard, outcome in outcomes:
            for reply_to, batch in outcome.replies.items():
                replies.setdefault(reply_to, []).extend(batch)
            if outcome.published and shard.number not in self._behind:
                events.extend(outcome.published)
                moved.append(shard)
        try:
            if replies:
                await self._replies.reply(replies)
        except BusUnavailable as error:
            _log.warning("replies not sent", count=sum(map(len, replies.values())), reason=str(error))
        await self._publish(events, moved)

    async def catch_up(self, journal: ShardJournal, shards: Iterable[Shard]) -> None:
        """Publish from the journal what is committed and not surely published. Gives up until the next call on failure."""
        for shard in shards:
            while shard.published_seq < shard.committed_seq:
                entries = await journal.unpublished(shard.number, shard.published_seq, MAX_EVENTS_A_READ)
                if not entries:
                    break
                try:
                    await self._events.publish([shard.to_published(entry) for entry in entries])
                except BusUnavailable:
                    self._behind.add(shard.number)
                    return
                shard.published_seq = entries[-1].seq
                _log.info("events published late", shard=shard.number, count=len(entries))
            self._behind.discard(shard.number)

    def is_behind(self, shards: Iterable[Shard]) -> bool:
        """Whether `catch_up` has work."""
        return any(shard.number in self._behind for shard in shards)

    async def _publish(self, events: Sequence[PublishedEvent], moved: Iterable[Shard]) -> None:
        if not events:
            return
        try:
            await self._events.publish(events)
        except BusUnavailable as error:
            self._behind.update(shard.number for shard in moved)
            _log.warning("events not published", count=len(events), reason=str(error))
            return
        EVENTS_PUBLISHED.inc(len(events))
        for shard in moved:
            shard.published_seq = shard.committed_seq
