"""Market data over Redis: pub/sub for what happens now, hashes for the latest of each kind and symbol."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from tradewind.adapters.redis.topics import LATEST_BARS, LATEST_QUOTES, LATEST_TRADES, MARKET_DATA_CHANNEL
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.ticks import Bar, MarketEvent, Quote, Trade
from tradewind.operations.backoff import Backoff
from tradewind.operations.logging import get_logger
from tradewind.ports.errors import BusUnavailable

MESSAGE_EVENTS_MAX = 1_000
"""Events in one message; longer batches are cut."""
LATEST_BAR_TIMEFRAME = "1Min"
IDLE_TIMEOUT_S = 5.0
"""A subscription that is silent for this long is probed; silent for twice as long, it is made anew."""

Latest = TypeVar("Latest", Quote, Trade)

_log = get_logger(__name__)


class RedisMarketData:
    """Publishes and follows market data. Redis cuts off a subscriber that reads too slowly; it then comes back."""

    def __init__(
        self, redis: Redis, source: random.Random | None = None, *, idle_timeout_s: float = IDLE_TIMEOUT_S
    ) -> None:
        self._redis = redis
        self._random = source or random.Random()  # noqa: S311
        self._idle_timeout_s = idle_timeout_s
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(list[MarketEvent])
        self._quote_decoder = msgspec.msgpack.Decoder(Quote)
        self._trade_decoder = msgspec.msgpack.Decoder(Trade)

    async def publish(self, events: Sequence[MarketEvent]) -> None:
        """Send the events to every subscriber, in order, and remember the latest. Raises `BusUnavailable`."""
        for start in range(0, len(events), MESSAGE_EVENTS_MAX):
            await self._publish_message(events[start : start + MESSAGE_EVENTS_MAX])

    async def _publish_message(self, events: Sequence[MarketEvent]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.publish(MARKET_DATA_CHANNEL, self._encoder.encode(events))
        for key, latest in _latest_by_key(events).items():
            fields: list[str | bytes] = []
            for symbol, event in latest.items():
                fields += (symbol, self._encoder.encode(event))
            pipeline.hset(key, items=fields)
        try:
            await pipeline.execute()
        except (RedisError, OSError) as error:
            raise BusUnavailable(f"market data not published: {error}") from error

    async def subscribe(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Batches of events from the first `anext` on, until closed."""
        backoff = Backoff(initial_s=0.1, maximum_s=2.0, factor=2.0, source=self._random)
        while True:
            pubsub = self._redis.pubsub(ignore_subscribe_messages=False)
            try:
                await pubsub.subscribe(MARKET_DATA_CHANNEL)
                async for batch in self._messages(pubsub, backoff.reset):
                    yield batch
            except (RedisError, OSError) as error:
                delay_s = backoff.next_delay_s()
                _log.warning("market data subscription lost", error=str(error), retry_in_s=round(delay_s, 2))
                await asyncio.sleep(delay_s)
            finally:
                with suppress(RedisError, OSError):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _messages(
        self, pubsub: PubSub, on_alive: Callable[[], None]
    ) -> AsyncIterator[Sequence[MarketEvent]]:
        is_probed = False
        while True:
            message: dict[str, Any] | None = await pubsub.get_message(timeout=self._idle_timeout_s)
            if message is None and is_probed:
                raise ConnectionError("no answer to a ping")
            if message is None:
                await pubsub.ping()
                is_probed = True
                continue
            is_probed = False
            on_alive()
            if message["type"] != "message":
                continue
            try:
                yield self._decoder.decode(message["data"])
            except msgspec.DecodeError as error:
                _log.error("market data message not understood", error=str(error))

    async def latest_quotes(self) -> Mapping[Symbol, Quote]:
        """The latest quote of every symbol. Raises `BusUnavailable`."""
        return await self._latest(LATEST_QUOTES, self._quote_decoder)

    async def latest_trades(self) -> Mapping[Symbol, Trade]:
        """The latest trade of every symbol. Raises `BusUnavailable`."""
        return await self._latest(LATEST_TRADES, self._trade_decoder)

    async def _latest(self, key: str, decoder: msgspec.msgpack.Decoder[Latest]) -> dict[Symbol, Latest]:
        try:
            fields: dict[bytes, bytes] = await cast("Awaitable[dict[bytes, bytes]]", self._redis.hgetall(key))
        except (RedisError, OSError) as error:
            raise BusUnavailable(f"latest market data not read: {error}") from error
        return {symbol.decode(): decoder.decode(value) for symbol, value in fields.items()}


def _latest_by_key(events: Sequence[MarketEvent]) -> dict[str, dict[Symbol, MarketEvent]]:
    latest: dict[str, dict[Symbol, MarketEvent]] = {}
    for event in events:
        if isinstance(event, Quote):
            latest.setdefault(LATEST_QUOTES, {})[event.symbol] = event
        elif isinstance(event, Trade):
            latest.setdefault(LATEST_TRADES, {})[event.symbol] = event
        elif isinstance(event, Bar) and event.timeframe == LATEST_BAR_TIMEFRAME:
            latest.setdefault(LATEST_BARS, {})[event.symbol] = event
    return latest
