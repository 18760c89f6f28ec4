"""The bus of orders within one process: streams of command entries, and replies to those who wait."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from tradewind.ports.bus import CommandBatch
from tradewind.ports.clock import Clock
from tradewind.ports.errors import BusUnavailable, Overloaded, ReplyOverdue
from tradewind.ports.journal import START_OFFSET
from tradewind.ports.messages import CommandEnvelope, Reply, shard_of

MAX_WAITING = 10_000
REPLY_MARGIN_S = 0.2
MAX_STREAM_ENTRIES = 100_000
"""A stream that is longer loses its oldest entries."""

_encoder = msgspec.msgpack.Encoder()
_commands_decoder = msgspec.msgpack.Decoder(list[CommandEnvelope])
_replies_decoder = msgspec.msgpack.Decoder(list[Reply])


class MemoryOrderBus:
    """What lies between: implements `CommandSource`. `is_available = False` makes every call fail.

    Messages are kept encoded, as on a real bus. An offset is `START_OFFSET` or an entry's number.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.is_available = True
        self.clients: dict[str, MemoryOrderClient] = {}
        self._streams: dict[int, dict[int, bytes]] = defaultdict(dict)
        self._last_number = 0
        self._arrived = asyncio.Event()

    def client(self, reply_to: str) -> "MemoryOrderClient":
        """One process that sends commands."""
        client = self.clients[reply_to] = MemoryOrderClient(self, reply_to)
        return client

    def put(self, shard: int, entry: bytes) -> None:
        """Append an entry to the shard's stream."""
        self._last_number += 1
        stream = self._streams[shard]
        stream[self._last_number] = entry
        if len(stream) > MAX_STREAM_ENTRIES:
            del stream[next(iter(stream))]
        self._arrived.set()

    def flush(self) -> None:
        """Lose everything; numbers go on rising, as the time does that a real bus makes them of."""
        self._streams.clear()

    async def read(
        self, offsets: Mapping[int, str], max_entries: int, timeout_s: float
    ) -> Sequence[CommandBatch]:
        """See `CommandSource`. An entry that cannot be decoded comes as an empty batch."""
        self._require_available()
        batches = self._after(offsets, max_entries)
        if batches:
            return batches
        self._arrived.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._arrived.wait()
        except TimeoutError:
            return []
        self._require_available()
        return self._after(offsets, max_entries)

    async def forget(self, offsets: Mapping[int, str]) -> None:
        """See `CommandSource`."""
        self._require_available()
        for shard, offset in offsets.items():
            stream = self._streams[shard]
            for number in [number for number in stream if number <= _number_of(offset)]:
                del stream[number]

    async def reply(self, replies: Mapping[str, Sequence[Reply]]) -> None:
        """Send the replies by reply channel, as `OutcomePublisher` does."""
        self._require_available()
        for reply_to, batch in replies.items():
            client = self.clients.get(reply_to)
            if client is not None:
                client.take(_replies_decoder.decode(_encoder.encode(batch)))

    def _after(self, offsets: Mapping[int, str], max_entries: int) -> list[CommandBatch]:
        return [
            CommandBatch(shard, str(number), _decode(self._streams[shard][number]))
            for shard, offset in offsets.items()
            for number in [n for n in self._streams[shard] if n > _number_of(offset)][:max_entries]
        ]

    def _require_available(self) -> None:
        if not self.is_available:
            raise BusUnavailable("the bus cannot be reached")


class MemoryOrderClient:
    """Implements `CommandBus`: what is sent within one turn of the loop travels in one entry a shard."""

    def __init__(self, bus: MemoryOrderBus, reply_to: str) -> None:
        self.reply_to = reply_to
        self._bus = bus
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._outbox: dict[int, list[CommandEnvelope]] = defaultdict(list)

    async def send(self, envelope: CommandEnvelope) -> Reply:
        """See `CommandBus`."""
        if not self._bus.is_available:
            raise BusUnavailable("the bus cannot be reached")
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded(f"{MAX_WAITING} commands are waiting for replies")
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Reply] = loop.create_future()
        self._waiting[envelope.command_id] = reply
        if not self._outbox:
            loop.call_soon(self._flush_outbox)
        self._outbox[shard_of(envelope.command.account_id)].append(envelope)
        wait_s = (envelope.deadline_ns - self._bus.clock.now_ns()) / 1e9 + REPLY_MARGIN_S
        try:
            async with asyncio.timeout(max(wait_s, 0)):
                return await reply
        except TimeoutError as error:
            raise ReplyOverdue(f"no reply to command {envelope.command_id}") from error
        finally:
            self._waiting.pop(envelope.command_id, None)

    def take(self, replies: Sequence[Reply]) -> None:
        """Replies arrive; those that nobody waits for are dropped."""
        for reply in replies:
            waiting = self._waiting.get(reply.command_id)
            if waiting is not None and not waiting.done():
                waiting.set_result(reply)

    def _flush_outbox(self) -> None:
        outgoing, self._outbox = self._outbox, defaultdict(list)
        for shard, envelopes in outgoing.items():
            self._bus.put(shard, _encoder.encode(envelopes))


def _number_of(offset: str) -> int:
    return 0 if offset == START_OFFSET else int(offset)


def _decode(entry: bytes) -> list[CommandEnvelope]:
    try:
        return _commands_decoder.decode(entry)
    except msgspec.MsgspecError:
        return []
