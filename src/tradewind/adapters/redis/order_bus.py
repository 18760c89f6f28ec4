"""The order service's side of the bus: commands from Redis streams, replies and events back to Redis."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis

from tradewind.adapters.redis.pipe import ANSWER_TIMEOUT_S, RedisCommand, RedisPipe
from tradewind.adapters.redis.topics import EVENTS_STREAM, commands_stream, replies_channel
from tradewind.ports.bus import CommandBatch
from tradewind.ports.journal import START_OFFSET
from tradewind.ports.messages import CommandEnvelope, EventNotice, PublishedEvent, Reply

MAX_STREAM_EVENTS = 10_000
"""Entries that the event stream keeps; a consumer that falls further behind reads the journal."""

COMMANDS_FIELD = b"c"
EVENTS_FIELD = b"e"

_log = structlog.get_logger(__name__)
_encoder = msgspec.msgpack.Encoder()
_commands_decoder = msgspec.msgpack.Decoder(list[CommandEnvelope])
_notices_decoder = msgspec.msgpack.Decoder(list[EventNotice])


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
    """`ports.bus.OutcomePublisher`, driven by one task."""

    def __init__(self, redis: Redis) -> None:
        self._pipe = RedisPipe(redis)

    async def publish(
        self, events: Sequence[PublishedEvent], replies: Mapping[str, Sequence[Reply]] | None = None
    ) -> None:
        """One write: a message for each process that waits for replies, and one stream entry for the events."""
        commands: list[RedisCommand] = [
            ("PUBLISH", replies_channel(reply_to), _encoder.encode(batch))
            for reply_to, batch in (replies or {}).items()
        ]
        if events:
            content = _encoder.encode([EventNotice.of(event) for event in events])
            commands.append(
                ("XADD", EVENTS_STREAM, "MAXLEN", "~", MAX_STREAM_EVENTS, "*", EVENTS_FIELD, content)
            )
        if commands:
            await self._pipe.call(commands)

    async def close(self) -> None:
        """Drop the connection."""
        await self._pipe.close()


class RedisOrderEventSource:
    """`ports.bus.OrderEventSource`: follows the event stream from now on."""

    MAX_ENTRIES = 100

    def __init__(self, redis: Redis) -> None:
        self._pipe = RedisPipe(redis)
        self._offset: str | None = None

    async def read(self, timeout_s: float) -> Sequence[EventNotice]:
        """One blocking XREAD. Raises `BusUnavailable`."""
        if self._offset is None:
            self._offset = await self._newest()
        (answer,) = await self._pipe.call(
            [_xread({EVENTS_STREAM: self._offset}, self.MAX_ENTRIES, timeout_s)], timeout_s + ANSWER_TIMEOUT_S
        )
        notices: list[EventNotice] = []
        for _, entry_id, fields in _entries(answer):
            notices.extend(_decode_notices(fields))
            self._offset = entry_id
        return notices

    async def close(self) -> None:
        """Drop the connection."""
        await self._pipe.close()

    async def _newest(self) -> str:
        # Redis's "$" would mean another moment at every call: what came between two calls would be missed.
        (newest,) = await self._pipe.call([("XREVRANGE", EVENTS_STREAM, "+", "-", "COUNT", 1)])
        return newest[0][0].decode() if newest else START_OFFSET


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


def _decode_notices(fields: Mapping[bytes, bytes]) -> list[EventNotice]:
    try:
        return _notices_decoder.decode(fields[EVENTS_FIELD])
    except (msgspec.MsgspecError, KeyError) as error:
        # Whoever follows sees the gap in the numbers and reads the journal.
        _log.error("event entry cannot be decoded", error=str(error))
        return []


def _after(offset: str) -> str:
    milliseconds, _, number = offset.partition("-")
    return f"{milliseconds}-{int(number) + 1}"
