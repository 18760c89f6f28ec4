"""The clients' side of the bus: commands out, replies in.

All commands that wait at a moment travel together: one stream entry a shard, all entries in one write. While one write
is under way the next ones gather, so that the cost of a round trip is shared the better the higher the load.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable
from typing import Self

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from tradewind.adapters.redis.order_bus import COMMANDS_FIELD
from tradewind.adapters.redis.pipe import RedisCommand, RedisPipe
from tradewind.adapters.redis.topics import commands_stream, replies_channel
from tradewind.ports.clock import Clock
from tradewind.ports.errors import BusUnavailable, Overloaded, ReplyOverdue
from tradewind.ports.messages import CommandEnvelope, Reply, shard_of

MAX_WAITING = 10_000
"""Commands of this process that may wait for replies; beyond it new ones are refused as `Overloaded`."""
MAX_COMMANDS_AN_ENTRY = 256
MAX_STREAM_ENTRIES = 100_000
"""A stream is cut to about this length: only commands long past their deadline can be that old."""
REPLY_MARGIN_S = 1.0
"""How long after its deadline a reply is still waited for: clock difference and the commit under way."""
RECONNECT_DELAY_S = 0.2

_log = structlog.get_logger(__name__)
_encoder = msgspec.msgpack.Encoder()
_replies_decoder = msgspec.msgpack.Decoder(list[Reply])


class RedisCommandBus:
    """`ports.bus.CommandBus` over one connection for commands and one for replies.

    `reply_to` must be unique to this process; envelopes carry it. Use as an async context manager.
    """

    def __init__(self, redis: Redis, clock: Clock, reply_to: str) -> None:
        self.reply_to = reply_to
        self._redis = redis
        self._clock = clock
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._outbox: dict[int, list[CommandEnvelope]] = defaultdict(list)
        self._has_outgoing = asyncio.Event()
        self._is_listening = asyncio.Event()
        self._pipe = RedisPipe(redis)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._send_forever(), name="command-sender"),
            asyncio.create_task(self._listen_forever(), name="reply-listener"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pipe.close()

    @property
    def is_connected(self) -> bool:
        """Whether replies can be received now."""
        return self._is_listening.is_set()

    async def send(self, envelope: CommandEnvelope) -> Reply:
        """See `ports.bus.CommandBus.send`."""
        if not self._is_listening.is_set():
            raise BusUnavailable("Redis: no connection for replies")
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded(f"{MAX_WAITING} commands are waiting for replies")
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[envelope.command_id] = reply
        self._outbox[shard_of(envelope.command.account_id)].append(envelope)
        self._has_outgoing.set()
        wait_s = (envelope.deadline_ns - self._clock.now_ns()) / 1e9 + REPLY_MARGIN_S
        try:
            return await _within(reply, wait_s)
        except TimeoutError as error:
            raise ReplyOverdue(f"no reply to command {envelope.command_id} within {wait_s:.1f} s") from error
        finally:
            self._waiting.pop(envelope.command_id, None)

    async def _send_forever(self) -> None:
        while True:
            await self._has_outgoing.wait()
            self._has_outgoing.clear()
            outgoing, self._outbox = self._outbox, defaultdict(list)
            try:
                await self._pipe.connect()
            except BusUnavailable as error:
                # Nothing was written: those who wait may be told so.
                self._fail(outgoing, error)
                continue
            try:
                await self._pipe.call(_entries_of(outgoing))
            except BusUnavailable as error:
                # They may have arrived or not: their replies, or their deadlines, will tell.
                _log.warning("connection for commands lost", reason=str(error))

    def _fail(self, outgoing: dict[int, list[CommandEnvelope]], error: Exception) -> None:
        for envelopes in outgoing.values():
            for envelope in envelopes:
                reply = self._waiting.get(envelope.command_id)
                if reply is not None and not reply.done():
                    reply.set_exception(error)

    async def _listen_forever(self) -> None:
        while True:
            subscription = self._redis.pubsub(ignore_subscribe_messages=True)
            try:
                await self._listen(subscription)
            except (RedisError, OSError, TimeoutError) as error:
                _log.warning("connection for replies lost", reason=str(error) or type(error).__name__)
            finally:
                self._is_listening.clear()
                with contextlib.suppress(RedisError, OSError, TimeoutError):
                    await subscription.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(RECONNECT_DELAY_S)

    async def _listen(self, subscription: PubSub) -> None:
        await subscription.subscribe(replies_channel(self.reply_to))
        self._is_listening.set()
        while True:
            message = await subscription.get_message(timeout=None)
            if message is None:
                continue
            for reply in _decode_replies(message["data"]):
                waiting = self._waiting.get(reply.command_id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply)


def _decode_replies(message: bytes) -> list[Reply]:
    try:
        return _replies_decoder.decode(message)
    except msgspec.MsgspecError as error:
        _log.error("replies cannot be decoded", error=str(error))
        return []


async def _within(reply: Awaitable[Reply], wait_s: float) -> Reply:
    async with asyncio.timeout(max(wait_s, 0)):
        return await reply


def _entries_of(outgoing: dict[int, list[CommandEnvelope]]) -> list[RedisCommand]:
    return [
        (
            "XADD",
            commands_stream(shard),
            "MAXLEN",
            "~",
            MAX_STREAM_ENTRIES,
            "*",
            COMMANDS_FIELD,
            _encoder.encode(envelopes[first : first + MAX_COMMANDS_AN_ENTRY]),
        )
        for shard, envelopes in outgoing.items()
        for first in range(0, len(envelopes), MAX_COMMANDS_AN_ENTRY)
    ]
