"""Committed order events in memory, for tests: loses what nobody fetches in time, as the real bus may."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from tradewind.adapters.memory.order_bus import MemoryOrderBus
from tradewind.ports.errors import BusUnavailable
from tradewind.ports.messages import EventNotice, PublishedEvent, Reply

EVENTS_MAX = 100_000
"""More waiting events than this push out the oldest."""


class MemoryOrderEvents:
    """Both sides of the stream of committed events, for one follower; `is_available = False` makes both fail.

    Replies go to the clients of `bus`.
    """

    def __init__(self, bus: MemoryOrderBus | None = None) -> None:
        self.is_available = True
        self._bus = bus
        self._events: deque[EventNotice] = deque(maxlen=EVENTS_MAX)
        self._arrived = asyncio.Event()

    async def publish(
        self, events: Sequence[PublishedEvent], replies: Mapping[str, Sequence[Reply]] | None = None
    ) -> None:
        """See `OutcomePublisher`."""
        if self._bus is not None:
            await self._bus.reply(replies or {})
        self._require_available()
        self._events.extend(map(EventNotice.of, events))
        self._arrived.set()

    async def read(self, timeout_s: float) -> Sequence[EventNotice]:
        """See `OrderEventSource`."""
        self._require_available()
        if not self._events:
            self._arrived.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._arrived.wait()
            except TimeoutError:
                return []
        events = list(self._events)
        self._events.clear()
        return events

    def garble(self) -> None:
        """Make everything that waits unreadable, as what another version wrote may be."""
        garbled = [msgspec.structs.replace(notice, content=msgspec.Raw(b"\xc1")) for notice in self._events]
        self._events.clear()
        self._events.extend(garbled)

    def flush(self) -> None:
        """Lose everything that waits."""
        self._events.clear()

    def _require_available(self) -> None:
        if not self.is_available:
            raise BusUnavailable("the bus cannot be reached")
