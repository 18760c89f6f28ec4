"""Market data within one process: everyone gets everything, and a slow reader loses the oldest."""

from collections.abc import AsyncGenerator

from tests.venue_scenarios import quote, trade
from tradewind.adapters.memory.market_data import MemoryMarketData


async def test_every_subscriber_gets_every_batch_in_order() -> None:
    market_data = MemoryMarketData()
    streams = [market_data.subscribe(), market_data.subscribe()]
    first, second = quote("9.99x1", "10.01x1"), trade("10x5")
    await market_data.publish([first, second])
    await market_data.publish([second])
    await market_data.publish([])
    for stream in streams:
        assert await anext(stream) == (first, second)
        assert await anext(stream) == (second,)


async def test_a_slow_subscriber_loses_the_oldest_batches() -> None:
    market_data = MemoryMarketData(waiting_batches_max=2)
    stream = market_data.subscribe()
    trades = [trade(f"{price}x1") for price in (10, 11, 12)]
    for event in trades:
        await market_data.publish([event])
    assert [await anext(stream), await anext(stream)] == [(trades[1],), (trades[2],)]


async def test_the_latest_quote_and_trade_of_each_symbol_are_remembered() -> None:
    market_data = MemoryMarketData()
    latest = quote("9.99x1", "10.01x1")
    other = trade("60000x1", symbol="BTC/USD")
    await market_data.publish([quote("1x1", "2x1"), latest, other])
    assert await market_data.latest_quotes() == {"AAPL": latest}
    assert await market_data.latest_trades() == {"BTC/USD": other}


async def test_closing_the_stream_ends_the_subscription() -> None:
    market_data = MemoryMarketData()
    stream = market_data.subscribe()
    assert isinstance(stream, AsyncGenerator)
    await market_data.publish([trade("10x1")])
    await anext(stream)
    await stream.aclose()
    assert market_data.subscriber_count == 0
