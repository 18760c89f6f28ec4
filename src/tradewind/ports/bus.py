"""The bus of orders: commands in, replies back, committed events out."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from tradewind.ports.messages import CommandEnvelope, EventNotice, PublishedEvent, Reply


class CommandBatch(msgspec.Struct, frozen=True):
    """The commands of one bus entry, and the entry's offset: to be committed together with their effects."""

    shard: int
    offset: str
    envelopes: list[CommandEnvelope]


class CommandBus(Protocol):
    """The side of those who send commands."""

    async def send(self, envelope: CommandEnvelope) -> Reply:
        """Send a command to its account's shard and wait for the reply.

        Raises `BusUnavailable` when it certainly was not sent, `Overloaded` when too many are waiting, and
        `ReplyOverdue` when it may have been sent and no reply came by its deadline and the margin after it.
        """
        ...


class CommandSource(Protocol):
    """The side of the order service."""

    async def read(
        self, offsets: Mapping[int, str], max_entries: int, timeout_s: float
    ) -> Sequence[CommandBatch]:
        """Entries after the given offset of each shard, oldest first; waits up to `timeout_s` for the first."""
        ...

    async def forget(self, offsets: Mapping[int, str]) -> None:
        """Drop entries up to and including the offsets: their effects are committed."""
        ...


class OutcomePublisher(Protocol):
    """Tells what was committed."""

    async def publish(
        self, events: Sequence[PublishedEvent], replies: Mapping[str, Sequence[Reply]] | None = None
    ) -> None:
        """Append the events to the stream, in order, and send the replies by reply channel.

        A reply that nobody waits for is dropped. Raises `BusUnavailable`: some may have been sent.
        """
        ...


class OrderEventSource(Protocol):
    """The side of those who follow committed events."""

    async def read(self, timeout_s: float) -> Sequence[EventNotice]:
        """Events published since the last call, of all shards; waits up to `timeout_s` for the first.

        The bus may lose some or repeat some: a consumer orders them by shard and `seq`.
        """
        ...
