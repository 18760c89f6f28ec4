"""Market data within one process: publisher and subscriber in one object."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.ticks import MarketEvent, Quote, Trade

WAITING_BATCHES_MAX = 10_000
"""Batches that wait for a slow subscriber. At the bound its oldest batch is dropped."""


class MemoryMarketData:
    """Sends what is published to every subscriber and remembers the latest quote and trade of each symbol."""

    def __init__(self, waiting_batches_max: int = WAITING_BATCHES_MAX) -> None:
        self._waiting_batches_max = waiting_batches_max
        self._mailboxes: set[_Mailbox] = set()
        self._quotes: dict[Symbol, Quote] = {}
        self._trades: dict[Symbol, Trade] = {}

    @property
    def subscriber_count(self) -> int:
        """How many subscriptions are open."""
        return len(self._mailboxes)

    async def publish(self, events: Sequence[MarketEvent]) -> None:
        """Send the events to every subscriber as one batch."""
        if not events:
            return
        for event in events:
            if isinstance(event, Quote):
                self._quotes[event.symbol] = event
            elif isinstance(event, Trade):
                self._trades[event.symbol] = event
        batch = tuple(events)
        for mailbox in self._mailboxes:
            mailbox.put(batch)

    def subscribe(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Batches published from this call on; closing the iterator ends the subscription."""
        mailbox = _Mailbox(self._waiting_batches_max)
        self._mailboxes.add(mailbox)
        return self._read(mailbox)

    async def latest_quotes(self) -> Mapping[Symbol, Quote]:
        """The latest quote of every symbol."""
        return dict(self._quotes)

    async def latest_trades(self) -> Mapping[Symbol, Trade]:
        """The latest trade of every symbol."""
        return dict(self._trades)

    async def _read(self, mailbox: "_Mailbox") -> AsyncIterator[Sequence[MarketEvent]]:
        try:
            while True:
                yield await mailbox.take()
        finally:
            self._mailboxes.discard(mailbox)


class _Mailbox:
    def __init__(self, batches_max: int) -> None:
        self._batches: deque[Sequence[MarketEvent]] = deque(maxlen=batches_max)
        self._arrived = asyncio.Event()

    def put(self, batch: Sequence[MarketEvent]) -> None:
        self._batches.append(batch)
        self._arrived.set()

    async def take(self) -> Sequence[MarketEvent]:
        while not self._batches:
            self._arrived.clear()
            await self._arrived.wait()
        return self._batches.popleft()
