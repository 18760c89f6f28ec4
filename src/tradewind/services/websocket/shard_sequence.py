"""Puts one shard's events back in order: drops repeats, holds back what came too early, knows what is missing."""

from tradewind.ports.messages import EventNotice

REORDER_EVENTS_MAX = 10_000
"""Events of one shard that wait for an earlier one. More are dropped: the journal still has them."""


class ShardSequence:
    """The events of one shard after `last_seq`."""

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq
        """The last event that was taken."""
        self._early: dict[int, EventNotice] = {}

    @property
    def missing_count(self) -> int:
        """How many events are missing before the first that waits; 0 when none waits."""
        return min(self._early) - self.last_seq - 1 if self._early else 0

    def offer(self, event: EventNotice) -> None:
        """Take an event in; a repeat is dropped, and one that finds no room."""
        if event.seq <= self.last_seq or event.seq in self._early:
            return
        if event.seq == self.last_seq + 1 or len(self._early) < REORDER_EVENTS_MAX:
            self._early[event.seq] = event

    def next_event(self) -> EventNotice | None:
        """The event after `last_seq`, if it is here."""
        return self._early.get(self.last_seq + 1)

    def advance(self) -> None:
        """The next event is done with."""
        self.last_seq += 1
        del self._early[self.last_seq]

    def holds(self, seq: int) -> bool:
        """Whether this event waits already."""
        return seq in self._early

    def restart(self, last_seq: int) -> None:
        """Begin anew after `last_seq`."""
        self.last_seq = last_seq
        self._early.clear()
