"""The order service's side of the bus: commands from Redis streams, replies and events back to Redis."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis

from tradewind.adapters.redis.pipe import ANSWER_TIMEOUT_S, RedisCommand, RedisPipe
from tradewind.adapters.redis.topics import commands_stream, events_stream, replies_channel
from tradewind.ports.bus import CommandBatch
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
        self._reading = RedisPipe(redis)
        self._trimming = RedisPipe(redis)

    async def read(
        self, offsets: Mapping[int, str], max_entries: int, timeout_s: float
    ) -> Sequence[CommandBatch]:
        """One XREAD over all streams. An entry that cannot be decoded is logged and comes as an empty batch."""
        shards = {commands_stream(shard): shard for shard in offsets}
        after = {commands_stream(shard): offset for shard, offset in offsets.items()}
        (answer,) = await self._reading.call(
            [_xread(after, max_entries, timeout_s)], timeout_s + ANSWER_TIMEOUT_S
        )
        return [
            CommandBatch(shards[stream], entry_id, _decode_commands(fields))
            for stream, entry_id, fields in _entries(answer)
        ]

    async def forget(self, offsets: Mapping[int, str]) -> None:
        """Trim the streams up to the offsets."""
        await self._trimming.call(
            [
                ("XTRIM", commands_stream(shard), "MINID", "~", _after(offset))
                for shard, offset in offsets.items()
            ]
        )

    async def close(self) -> None:
        """Drop the connections."""
        await self._reading.close()
        await self._trimming.close()


class RedisOrderPublisher:
    """`ports.bus.ReplySender` and `ports.bus.OrderEventPublisher`, driven by one task."""

    def __init__(self, redis: Redis) -> None:
        self._pipe = RedisPipe(redis)

    async def reply(self, replies: Mapping[str, Sequence[Reply]]) -> None:
        """One message for each waiting process."""
        await self._pipe.call(
            [
                ("PUBLISH", replies_channel(reply_to), _encoder.encode(batch))
                for reply_to, batch in replies.items()
            ]
        )

    async def publish(self, events: Sequence[PublishedEvent]) -> None:
        """One entry for each run of one shard's events."""
        await self._pipe.call(
            [
                _xadd(events_stream(shard), MAX_STREAM_EVENTS, EVENTS_FIELD, list(batch))
                for shard, batch in groupby(events, key=lambda published: published.shard)
            ]
        )

    async def close(self) -> None:
        """Drop the connection."""
        await self._pipe.close()


class RedisOrderEventSource:
    """`ports.bus.OrderEventSource`: follows the event streams of all shards from now on."""

    MAX_ENTRIES = 100

    def __init__(self, redis: Redis) -> None:
        self._pipe = RedisPipe(redis)
        self._offsets: dict[str, str] = {}

    async def read(self, timeout_s: float) -> Sequence[PublishedEvent]:
        """One blocking XREAD. Raises `BusUnavailable`."""
        if not self._offsets:
            self._offsets = await self._newest()
        (answer,) = await self._pipe.call(
            [_xread(self._offsets, self.MAX_ENTRIES, timeout_s)], timeout_s + ANSWER_TIMEOUT_S
        )
        events: list[PublishedEvent] = []
        for stream, entry_id, fields in _entries(answer):
            events.extend(_decode_events(fields))
            self._offsets[stream] = entry_id
        return events

    async def close(self) -> None:
        """Drop the connection."""
        await self._pipe.close()

    async def _newest(self) -> dict[str, str]:
        # Redis's "$" would mean another moment at every call: what came between two calls would be missed.
        streams = [events_stream(shard) for shard in range(SHARD_COUNT)]
        answers = await self._pipe.call([("XREVRANGE", stream, "+", "-", "COUNT", 1) for stream in streams])
        return {
            stream: newest[0][0].decode() if newest else START_OFFSET
            for stream, newest in zip(streams, answers, strict=True)
        }


def _xadd(stream: str, max_entries: int, field: bytes, value: object) -> RedisCommand:
    return ("XADD", stream, "MAXLEN", "~", max_entries, "*", field, _encoder.encode(value))


def _xread(offsets: Mapping[str, str], max_entries: int, timeout_s: float) -> RedisCommand:
    block_ms = max(int(timeout_s * 1_000), 1)
    return ("XREAD", "COUNT", max_entries, "BLOCK", block_ms, "STREAMS", *offsets, *offsets.values())


def _entries(answer: Any) -> Iterator[tuple[str, str, dict[bytes, bytes]]]:
    """Stream, entry id and fields: XREAD's answer in the shape of RESP3 (a map) or of RESP2 (a list of pairs)."""
    streams = answer.items() if isinstance(answer, dict) else answer or []
    for stream, entries in streams:
        for entry_id, fields in entries:
            yield stream.decode(), entry_id.decode(), dict(zip(fields[::2], fields[1::2], strict=True))


def _decode_commands(fields: Mapping[bytes, bytes]) -> list[CommandEnvelope]:
    try:
        return _commands_decoder.decode(fields[COMMANDS_FIELD])
    except (msgspec.MsgspecError, KeyError) as error:
        _log.error("command entry cannot be decoded", error=str(error))
        return []


def _decode_events(fields: Mapping[bytes, bytes]) -> list[PublishedEvent]:
    try:
        return _events_decoder.decode(fields[EVENTS_FIELD])
    except (msgspec.MsgspecError, KeyError) as error:
        # Whoever follows sees the gap in the numbers and reads the journal.
        _log.error("event entry cannot be decoded", error=str(error))
        return []


def _after(offset: str) -> str:
    milliseconds, _, number = offset.partition("-")
    return f"{milliseconds}-{int(number) + 1}"
