"""The clients' side of the bus: commands out, replies in.

All commands that wait at a moment travel together: one stream entry a shard, all entries in one write. While one write
is under way the next ones gather, so that the cost of a round trip is shared the better the higher the load.
"""

import asyncio
import contextlib
from collections import defaultdict
from typing import NamedTuple, Self

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
OVERDUE_CHECK_INTERVAL_S = 0.1
GATHER_FROM_WAITING = 8
"""With more commands than this waiting, the order service is busy anyway: the next ones gather for `GATHER_S`."""
GATHER_S = 0.002

_log = structlog.get_logger(__name__)
_encoder = msgspec.msgpack.Encoder()
_replies_decoder = msgspec.msgpack.Decoder(list[Reply])


class _Waiting(NamedTuple):
    reply: asyncio.Future[Reply]
    overdue_at_s: float
    """By the clock of the event loop."""


class RedisCommandBus:
    """`ports.bus.CommandBus` over one connection for commands and one for replies.

    `reply_to` must be unique to this process; envelopes carry it. Use as an async context manager.
    """

    def __init__(self, redis: Redis, clock: Clock, reply_to: str) -> None:
        self.reply_to = reply_to
        self._redis = redis
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}
        self._outbox: dict[int, list[CommandEnvelope]] = defaultdict(list)
        self._has_outgoing = asyncio.Event()
        self._is_listening = asyncio.Event()
        self._pipe = RedisPipe(redis)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._send_forever(), name="command-sender"),
            asyncio.create_task(self._listen_forever(), name="reply-listener"),
            asyncio.create_task(self._give_up_overdue(), name="overdue-replies"),
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
        loop = asyncio.get_running_loop()
        wait_s = (envelope.deadline_ns - self._clock.now_ns()) / 1e9 + REPLY_MARGIN_S
        waiting = _Waiting(loop.create_future(), loop.time() + wait_s)
        self._waiting[envelope.command_id] = waiting
        self._outbox[shard_of(envelope.command.account_id)].append(envelope)
        self._has_outgoing.set()
        try:
            return await waiting.reply
        finally:
            self._waiting.pop(envelope.command_id, None)

    async def _send_forever(self) -> None:
        while True:
            await self._has_outgoing.wait()
            if len(self._waiting) > GATHER_FROM_WAITING:
                await asyncio.sleep(GATHER_S)
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
                waiting = self._waiting.get(envelope.command_id)
                if waiting is not None and not waiting.reply.done():
                    waiting.reply.set_exception(error)

    async def _give_up_overdue(self) -> None:
        # One look at all of them costs less than a timer for each.
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(OVERDUE_CHECK_INTERVAL_S)
            now_s = loop.time()
            for command_id, waiting in self._waiting.items():
                if waiting.overdue_at_s <= now_s and not waiting.reply.done():
                    waiting.reply.set_exception(ReplyOverdue(f"no reply to command {command_id} in time"))

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
                if waiting is not None and not waiting.reply.done():
                    waiting.reply.set_result(reply)


def _decode_replies(message: bytes) -> list[Reply]:
    try:
        return _replies_decoder.decode(message)
    except msgspec.MsgspecError as error:
        _log.error("replies cannot be decoded", error=str(error))
        return []


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
