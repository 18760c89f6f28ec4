"""What every market-data channel promises, against Redis and memory."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Protocol, cast

import pytest
from redis.asyncio import Redis

from tests import servers
from tradewind.adapters.memory.market_data import MemoryMarketData
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.redis.market_data import MESSAGE_EVENTS_MAX, RedisMarketData
from tradewind.adapters.redis.topics import LATEST_BARS, MARKET_DATA_CHANNEL
from tradewind.domain.market.ticks import Bar, DailyBar, MarketEvent, Quote, Trade
from tradewind.ports.errors import BusUnavailable
from tradewind.ports.market_data import MarketDataPublisher, MarketDataSubscriber

STARTED = Trade("START", Decimal(1), Decimal(1), 0, 0)


class MarketData(MarketDataPublisher, MarketDataSubscriber, Protocol):
    """Both sides in one."""


def quote(symbol: str = "AAPL", bid: str = "227.99", ts_ns: int = 1) -> Quote:
    return Quote(symbol, Decimal(bid), Decimal(300), Decimal("228.01"), Decimal("0.00000001"), ts_ns)


def trade(symbol: str = "AAPL", price: str = "228.00", ts_ns: int = 2) -> Trade:
    return Trade(symbol, Decimal(price), Decimal("1.5"), ts_ns, trade_id=1 << 52)


def bar(timeframe: str = "1Min") -> Bar:
    one = Decimal("1.10")
    return Bar("AAPL", timeframe, 60_000_000_000, one, one, one, one, one, 3, one)


def daily_bar() -> DailyBar:
    one = Decimal("1.10")
    return DailyBar("AAPL", 0, one, one, one, one, one, 3, one)


@pytest.fixture
async def redis(redis_flushed: servers.RedisAddress) -> AsyncIterator[Redis]:
    client = connect(RedisAddress(redis_flushed.host, redis_flushed.port, redis_flushed.password))
    yield client
    await client.aclose()


@pytest.fixture(params=["memory", "redis"])
def market(request: pytest.FixtureRequest) -> MarketData:
    if request.param == "memory":
        return MemoryMarketData()
    return RedisMarketData(request.getfixturevalue("redis"))


@asynccontextmanager
async def watching(market: MarketData) -> AsyncIterator[AsyncIterator[Sequence[MarketEvent]]]:
    """A subscription that surely has begun."""
    stream = market.subscribe()
    first = asyncio.ensure_future(anext(stream))
    while not first.done():
        await market.publish([STARTED])
        await asyncio.wait([first], timeout=0.02)
    try:
        yield stream
    finally:
        await cast("AsyncGenerator[Sequence[MarketEvent]]", stream).aclose()


async def received(stream: AsyncIterator[Sequence[MarketEvent]], count: int) -> list[MarketEvent]:
    events: list[MarketEvent] = []
    async with asyncio.timeout(3):
        while len(events) < count:
            events += [event for event in await anext(stream) if event != STARTED]
    return events


async def test_a_subscriber_sees_quotes_trades_and_bars_exactly_and_in_order(market: MarketData) -> None:
    events: list[MarketEvent] = [quote(), trade(), bar(), daily_bar(), quote(ts_ns=5), bar("5Sec")]
    async with watching(market) as stream:
        await market.publish(events[:2])
        await market.publish(events[2:])
        assert await received(stream, len(events)) == events


async def test_every_subscriber_sees_everything(market: MarketData) -> None:
    async with watching(market) as one, watching(market) as other:
        await market.publish([trade()])
        assert await received(one, 1) == [trade()]
        assert await received(other, 1) == [trade()]


async def test_a_large_batch_arrives_whole_and_in_order(market: MarketData) -> None:
    events = [trade(ts_ns=number) for number in range(2 * MESSAGE_EVENTS_MAX + 1)]
    async with watching(market) as stream:
        await market.publish(events)
        assert await received(stream, len(events)) == events


async def test_the_latest_quote_and_trade_of_every_symbol_are_remembered(market: MarketData) -> None:
    assert await market.latest_quotes() == {}
    await market.publish([quote(), quote(bid="228.00", ts_ns=3), quote("BTC/USD"), trade()])
    await market.publish([trade(price="228.05", ts_ns=9), bar()])
    await market.publish([])
    assert await market.latest_quotes() == {"AAPL": quote(bid="228.00", ts_ns=3), "BTC/USD": quote("BTC/USD")}
    assert await market.latest_trades() == {"AAPL": trade(price="228.05", ts_ns=9)}


async def test_redis_remembers_the_latest_minute_bar_only(redis: Redis) -> None:
    await RedisMarketData(redis).publish([bar(), bar("5Sec")])
    assert list(await redis.hgetall(LATEST_BARS)) == [b"AAPL"]


async def test_a_subscription_survives_its_connection_and_nonsense(redis: Redis) -> None:
    market = RedisMarketData(redis)
    async with watching(market) as stream:
        next_batch = asyncio.ensure_future(received(stream, 1))
        await redis.client_kill_filter(_type="pubsub")
        await redis.publish(MARKET_DATA_CHANNEL, b"\xffnonsense")
        while not next_batch.done():
            await market.publish([trade()])
            await asyncio.wait([next_batch], timeout=0.05)
        assert (await next_batch)[0] == trade()


async def test_a_silent_subscription_is_probed_and_lives_on(redis: Redis) -> None:
    market = RedisMarketData(redis, idle_timeout_s=0.05)
    async with watching(market) as stream:
        next_batch = asyncio.ensure_future(received(stream, 1))
        await asyncio.sleep(0.4)
        await market.publish([trade()])
        assert await next_batch == [trade()]


async def test_without_redis_publishing_says_so() -> None:
    client = connect(RedisAddress("127.0.0.1", 1))
    with pytest.raises(BusUnavailable):
        await RedisMarketData(client).publish([trade()])
    with pytest.raises(BusUnavailable):
        await RedisMarketData(client).latest_quotes()
    await client.aclose()
