"""The order service's side of the bus: commands from Redis streams, replies and events back to Redis."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tradewind.adapters.redis.topics import commands_stream, events_stream, replies_channel
from tradewind.ports.bus import CommandBatch
from tradewind.ports.errors import BusUnavailable
from tradewind.ports.journal import START_OFFSET
from tradewind.ports.messages import SHARD_COUNT, CommandEnvelope, PublishedEvent, Reply

MAX_STREAM_EVENTS = 10_000
"""Entries that a shard's event stream keeps; a consumer that falls further behind reads the journal."""

COMMANDS_FIELD = b"c"
EVENTS_FIELD = b"e"

_log = structlog.get_logger(__name__)
_encoder = msgspec.msgpack.Encoder()
_commands_decoder = msgspec.msgpack.Decoder(list[CommandEnvelope])
_events_decoder = msgspec.msgpack.Decoder(list[PublishedEvent])


class RedisCommandSource:
    """`ports.bus.CommandSource`: blocking reads of the owned shards' streams."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(
        self, offsets: Mapping[int, str], max_entries: int, timeout_s: float
    ) -> Sequence[CommandBatch]:
        """One XREAD over all streams. An entry that cannot be decoded is logged and comes as an empty batch."""
        shards = {commands_stream(shard): shard for shard in offsets}
        async with redis_failures_mapped():
            entries = await _read_streams(
                self._redis,
                {commands_stream(shard): offset for shard, offset in offsets.items()},
                max_entries,
                timeout_s,
            )
        return [
            CommandBatch(shards[stream], entry_id, _decode_commands(fields))
            for stream, entry_id, fields in entries
        ]

    async def forget(self, offsets: Mapping[int, str]) -> None:
        """Trim the streams up to the offsets."""
        async with redis_failures_mapped():
            pipeline = self._redis.pipeline(transaction=False)
            for shard, offset in offsets.items():
                pipeline.xtrim(commands_stream(shard), minid=_after(offset), approximate=True)
            await pipeline.execute()


class RedisOrderPublisher:
    """`ports.bus.ReplySender` and `ports.bus.OrderEventPublisher`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def reply(self, replies: Mapping[str, Sequence[Reply]]) -> None:
        """One message for each waiting process."""
        async with redis_failures_mapped():
            pipeline = self._redis.pipeline(transaction=False)
            for reply_to, batch in replies.items():
                pipeline.publish(replies_channel(reply_to), _encoder.encode(batch))
            await pipeline.execute()

    async def publish(self, events: Sequence[PublishedEvent]) -> None:
        """One entry for each shard."""
        async with redis_failures_mapped():
            pipeline = self._redis.pipeline(transaction=False)
            for shard, batch in groupby(events, key=lambda published: published.shard):
                fields: Any = {EVENTS_FIELD: _encoder.encode(list(batch))}
                pipeline.xadd(events_stream(shard), fields, maxlen=MAX_STREAM_EVENTS, approximate=True)
            await pipeline.execute()


class RedisOrderEventSource:
    """`ports.bus.OrderEventSource`: follows the event streams of all shards from now on."""

    MAX_ENTRIES = 100

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._offsets = {events_stream(shard): "$" for shard in range(SHARD_COUNT)}

    async def read(self, timeout_s: float) -> Sequence[PublishedEvent]:
        """One blocking XREAD. Raises `BusUnavailable`."""
        async with redis_failures_mapped():
            await self._resolve_start()
            entries = await _read_streams(self._redis, self._offsets, self.MAX_ENTRIES, timeout_s)
        events: list[PublishedEvent] = []
        for stream, entry_id, fields in entries:
            events.extend(_events_decoder.decode(fields[EVENTS_FIELD]))
            self._offsets[stream] = entry_id
        return events

    async def _resolve_start(self) -> None:
        # "$" would mean another moment at every call: what came between two calls would be missed.
        for stream, offset in self._offsets.items():
            if offset == "$":
                newest: Any = await self._redis.xrevrange(stream, count=1)
                self._offsets[stream] = newest[0][0].decode() if newest else START_OFFSET


async def _read_streams(
    redis: Redis, offsets: Mapping[str, str], max_entries: int, timeout_s: float
) -> list[tuple[str, str, dict[bytes, bytes]]]:
    """Stream, entry id and fields of what comes after the offsets: XREAD, whatever shape the protocol gives it."""
    block_ms = max(int(timeout_s * 1_000), 1)
    streams_after: Any = dict(offsets)
    answer: Any = await redis.xread(streams_after, count=max_entries, block=block_ms)
    streams = answer.items() if isinstance(answer, dict) else answer or []
    return [
        (stream.decode(), entry_id.decode(), fields)
        for stream, parts in streams
        for entry_id, fields in _flattened(parts)
    ]


def _flattened(parts: list[Any]) -> list[Any]:
    """RESP3 wraps a stream's entries in one more list than RESP2."""
    return parts[0] if len(parts) == 1 and isinstance(parts[0], list) else parts


@asynccontextmanager
async def redis_failures_mapped() -> AsyncIterator[None]:
    """Turn the client's errors and broken sockets into `BusUnavailable`."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise BusUnavailable(f"Redis: {error or type(error).__name__}") from error


def _decode_commands(fields: Mapping[bytes, bytes]) -> list[CommandEnvelope]:
    try:
        return _commands_decoder.decode(fields[COMMANDS_FIELD])
    except (msgspec.MsgspecError, KeyError) as error:
        _log.error("command entry cannot be decoded", error=str(error))
        return []


def _after(offset: str) -> str:
    milliseconds, _, number = offset.partition("-")
    return f"{milliseconds}-{int(number) + 1}"
