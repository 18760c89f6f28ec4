"""The envelopes in which commands, replies and events travel between the services."""

import zlib
from typing import Self

import msgspec

from tradewind.domain.commands import PROTOCOL_VERSION, ClientCommand
from tradewind.domain.events import Event
from tradewind.domain.identifiers import AccountId, CommandId, CorrelationId
from tradewind.domain.orders.order import Order
from tradewind.domain.refusal import Refusal

SHARD_COUNT = 16
"""The fixed number of shards. Accounts are spread over them for ever: changing it needs a migration of the journal."""


def shard_of(account_id: AccountId) -> int:
    """The shard that an account belongs to for ever."""
    return zlib.crc32(account_id.encode()) % SHARD_COUNT


class CommandEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """A command on its way to the order service.

    `reply_to` names the reply channel of the process that waits; a command read after `deadline_ns` is refused.
    """

    command_id: CommandId
    correlation_id: CorrelationId
    reply_to: str
    received_ns: int
    deadline_ns: int
    command: ClientCommand
    version: int = PROTOCOL_VERSION


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one command, sent after its events are committed.

    `orders` holds the orders that it made or changed (for a replacement the new order first); on a repeated
    submission the order as it stands now.
    """

    command_id: CommandId
    refusal: Refusal | None = None
    orders: list[Order] = msgspec.field(default_factory=list)


class PublishedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A committed event as its consumers see it, with the state of the order right after it.

    `seq` counts the events of `shard` from 1 without gaps: a consumer drops what it has seen. `position_qty` is the
    signed position after an execution. For OrderReplaced `order` is the old order and `new_order` the new one.
    """

    shard: int
    seq: int
    ts_ns: int
    correlation_id: CorrelationId
    event: Event
    order: Order | None = None
    new_order: Order | None = None


_encoder = msgspec.msgpack.Encoder()
_published_decoder = msgspec.msgpack.Decoder(PublishedEvent)


class EventNotice(msgspec.Struct, frozen=True, array_like=True):
    """A published event as it travels: who follows some accounts only opens theirs and spares the rest."""

    shard: int
    seq: int
    account_id: AccountId
    content: msgspec.Raw

    @classmethod
    def of(cls, published: PublishedEvent) -> Self:
        """The notice of an event."""
        content = msgspec.Raw(_encoder.encode(published))
        return cls(published.shard, published.seq, published.event.account_id, content)

    def open(self) -> PublishedEvent:
        """The event itself. Raises `msgspec.MsgspecError` when another version wrote what this one cannot read."""
        return _published_decoder.decode(self.content)
