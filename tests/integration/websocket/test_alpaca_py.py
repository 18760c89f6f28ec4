"""alpaca-py, unmodified, against our streams."""

import asyncio
import warnings
from typing import Any

import pytest

from tests.integration.websocket.harness import running_streams, until
from tests.unit.services.websocket.makers import (
    bar,
    daily_bar,
    executed,
    make_order,
    published,
    quote,
    trade,
)
from tradewind.domain.orders.state_machine import OrderStatus

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it uses an old face of its WebSocket library
    from alpaca.data.live import CryptoDataStream, StockDataStream
    from alpaca.trading.stream import TradingStream

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Collector:
    """A handler that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    async def take(self, item: Any) -> None:
        self.got.append(item)


async def stop(stream: Any, running: asyncio.Task[None]) -> None:
    await stream.stop_ws()
    await stream.close()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_stock_data_stream() -> None:
    async with running_streams() as streams:
        stream = StockDataStream("alice", "wonderland", url_override=streams.url("/v2/iex"))
        trades, quotes, bars, days = Collector(), Collector(), Collector(), Collector()
        stream.subscribe_trades(trades.take, "AAPL")
        stream.subscribe_quotes(quotes.take, "AAPL", "MSFT")
        stream.subscribe_bars(bars.take, "*")
        stream.subscribe_daily_bars(days.take, "AAPL")
        running = asyncio.create_task(stream._run_forever())
        await until(lambda: bool(streams.market._audiences))
        await streams.market_data.publish(
            [trade(), quote(), quote("MSFT"), bar("TSLA"), daily_bar(), trade("TSLA")]
        )
        await until(lambda: bool(days.got))
        await stop(stream, running)
    assert [(each.symbol, each.price, each.id) for each in trades.got] == [("AAPL", 190.11, 1)]
    assert [(each.symbol, each.bid_price, each.ask_size) for each in quotes.got] == [
        ("AAPL", 190.1, 1.5),
        ("MSFT", 190.1, 1.5),
    ]
    assert [(each.symbol, each.close, each.vwap, each.trade_count) for each in bars.got] == [
        ("TSLA", 190.25, 190.123, 12)
    ]
    assert [(each.symbol, each.open, each.volume) for each in days.got] == [("AAPL", 190.0, 1000.0)]
    assert trades.got[0].timestamp.isoformat() == "2023-11-14T22:13:20.123456+00:00"


async def test_crypto_data_stream() -> None:
    async with running_streams() as streams:
        stream = CryptoDataStream("alice", "wonderland", url_override=streams.url("/v1beta3/crypto/us"))
        trades = Collector()
        stream.subscribe_trades(trades.take, "BTC/USD")
        running = asyncio.create_task(stream._run_forever())
        await until(lambda: bool(streams.market._audiences))
        await streams.market_data.publish([trade("ETH/USD"), trade("BTC/USD", trade_id=9)])
        await until(lambda: bool(trades.got))
        await stop(stream, running)
    assert [(each.symbol, each.id) for each in trades.got] == [("BTC/USD", 9)]


async def test_trading_stream() -> None:
    async with running_streams() as streams:
        stream = TradingStream("alice", "wonderland", url_override=streams.url("/stream"))
        updates = Collector()
        stream.subscribe_trade_updates(updates.take)
        running = asyncio.create_task(stream._run_forever())
        fill = executed(OrderStatus.PARTIALLY_FILLED)
        order = make_order(
            status=OrderStatus.PARTIALLY_FILLED, filled_qty=fill.qty, filled_value=fill.qty * fill.price
        )
        await until(lambda: streams.trading.has_listeners(order.account_id))
        streams.commit(fill)
        await streams.bus.publish([published(1, fill, order)])
        await until(lambda: bool(updates.got))
        await stop(stream, running)
    [update] = updates.got
    assert (update.event, update.price, update.qty, update.position_qty) == (
        "partial_fill",
        190.25,
        4.0,
        -6.0,
    )
    assert str(update.order.id) == order.order_id
    assert (update.order.status.value, update.order.filled_avg_price) == ("partially_filled", "190.25")
    assert update.order.order_class.value == "simple"
