"""A bot written for Alpaca trades here with alpaca-py as it is: only the addresses differ."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.platform import LivePlatform
from tests.e2e.traders import open_accounts

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it uses an old face of its WebSocket library
    from alpaca.common.exceptions import APIError
    from alpaca.data.live import CryptoDataStream, StockDataStream
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
    from alpaca.trading.models import Order, Position, TradeUpdate
    from alpaca.trading.requests import (
        GetOrdersRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
    )
    from alpaca.trading.stream import TradingStream

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

PATIENCE_S = 15.0
POLL_S = 0.05
FAR_BELOW_THE_MARKET = 50.0


class Desk:
    """A trader's key, and what alpaca-py makes of it."""

    def __init__(self, platform: LivePlatform, key: str, secret: str) -> None:
        self.key, self.secret = key, secret
        self.client = TradingClient(key, secret, paper=True, url_override=platform.url())
        self.streams_url = platform.url("websocket-service").replace("http", "ws")

    def order(self, client_order_id: str) -> Order:
        """What became of an order."""
        order = self.client.get_order_by_client_id(client_order_id)
        assert isinstance(order, Order)
        return order

    async def until(self, client_order_id: str, status: OrderStatus) -> Order:
        """The order once it has this status."""
        await until(lambda: self.order(client_order_id).status is status)
        return self.order(client_order_id)

    def market(self, qty: float, side: OrderSide) -> Order:
        """A market order for AAPL."""
        request = MarketOrderRequest(
            symbol="AAPL", qty=qty, side=side, time_in_force=TimeInForce.DAY, client_order_id=str(uuid4())
        )
        return self._submit(request)

    def limit(self, price: float) -> Order:
        """An order to buy 2 AAPL that waits when the price is low."""
        request = LimitOrderRequest(
            symbol="AAPL",
            qty=2,
            side=OrderSide.BUY,
            time_in_force=TimeInForce.GTC,
            limit_price=price,
            client_order_id=str(uuid4()),
        )
        return self._submit(request)

    def open_orders(self) -> list[Order]:
        """The open ones, newest first."""
        found = self.client.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN))
        return [order for order in found if isinstance(order, Order)]

    def _submit(self, request: MarketOrderRequest | LimitOrderRequest) -> Order:
        order = self.client.submit_order(request)
        assert isinstance(order, Order)
        return order


@pytest.fixture
async def desk(shared_platform: LivePlatform, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A new account with a key of its own."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    [trader] = await open_accounts(shared_platform.settings, 1)
    return Desk(shared_platform, trader.key_id, trader.secret)


@pytest.fixture(autouse=True)
def _closed_sessions(desk: Desk) -> Iterator[None]:
    yield
    desk.client._session.close()


async def test_account_clock_and_assets(desk: Desk) -> None:
    account: Any = desk.client.get_account()
    assert (account.status.value, account.currency) == ("ACTIVE", "USD")
    assert float(account.cash) > 0
    assert float(account.buying_power) >= float(account.cash)
    assert float(account.last_equity) == float(account.cash)
    clock: Any = desk.client.get_clock()
    assert clock.is_open
    assert clock.next_close > clock.timestamp
    assets: Any = desk.client.get_all_assets()
    assert {"AAPL", "MSFT", "SPY"} <= {asset.symbol for asset in assets}
    bitcoin: Any = desk.client.get_asset("BTC/USD")
    assert bitcoin.tradable
    assert bitcoin.asset_class.value == "crypto"


async def test_a_market_order_becomes_a_position_that_can_be_closed(desk: Desk) -> None:
    sent = desk.market(5, OrderSide.BUY)
    bought = await desk.until(sent.client_order_id, OrderStatus.FILLED)
    assert (bought.id, bought.filled_qty) == (sent.id, "5")
    position = desk.client.get_open_position("AAPL")
    assert isinstance(position, Position)
    assert (position.qty, position.side.value) == ("5", "long")
    assert position.avg_entry_price == bought.filled_avg_price
    assert float(position.change_today or "nan") == pytest.approx(
        float(position.current_price or 0) / float(position.lastday_price or 0) - 1, abs=1e-6
    )
    assert [each.symbol for each in desk.client.get_all_positions() if isinstance(each, Position)] == ["AAPL"]

    closing = desk.client.close_position("AAPL")
    assert isinstance(closing, Order)
    assert (closing.side, closing.qty) == (OrderSide.SELL, "5")
    await desk.until(closing.client_order_id, OrderStatus.FILLED)
    assert desk.client.get_all_positions() == []
    with pytest.raises(APIError) as refused:
        desk.client.get_open_position("AAPL")
    assert (refused.value.status_code, refused.value.code) == (404, 40410000)


async def test_a_waiting_order_is_listed_replaced_and_cancelled(desk: Desk) -> None:
    waiting = desk.limit(FAR_BELOW_THE_MARKET)
    await desk.until(waiting.client_order_id, OrderStatus.NEW)
    assert [order.id for order in desk.open_orders()] == [waiting.id]

    replacement = desk.client.replace_order_by_id(
        waiting.id, ReplaceOrderRequest(limit_price=FAR_BELOW_THE_MARKET + 1)
    )
    assert isinstance(replacement, Order)
    assert replacement.replaces == waiting.id
    await desk.until(replacement.client_order_id, OrderStatus.NEW)
    assert [(order.id, order.limit_price) for order in desk.open_orders()] == [(replacement.id, "51")]
    assert desk.order(waiting.client_order_id).status is OrderStatus.REPLACED

    desk.client.cancel_order_by_id(replacement.id)
    await desk.until(replacement.client_order_id, OrderStatus.CANCELED)
    with pytest.raises(APIError, match="already in"):
        desk.client.cancel_order_by_id(replacement.id)


async def test_all_waiting_orders_are_cancelled_at_once(desk: Desk) -> None:
    waiting = [desk.limit(FAR_BELOW_THE_MARKET + step) for step in range(3)]
    answers: Any = desk.client.cancel_orders()
    assert {answer.id for answer in answers} == {order.id for order in waiting}
    assert {answer.status for answer in answers} == {200}
    await until(lambda: not desk.open_orders())


async def test_crypto_is_bought_for_an_amount_of_money(desk: Desk) -> None:
    request = MarketOrderRequest(
        symbol="BTC/USD", notional=250, side=OrderSide.BUY, time_in_force=TimeInForce.GTC
    )
    sent = desk._submit(request)
    bought = await desk.until(sent.client_order_id, OrderStatus.FILLED)
    spent = float(bought.filled_qty or 0) * float(bought.filled_avg_price or 0)
    assert spent == pytest.approx(250, abs=0.01)
    position = desk.client.get_open_position("BTCUSD")
    assert isinstance(position, Position)
    assert position.symbol == "BTCUSD"


async def test_refusals_say_why(desk: Desk) -> None:
    request = MarketOrderRequest(symbol="NOPE", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    with pytest.raises(APIError) as refused:
        desk.client.submit_order(request)
    assert (refused.value.status_code, refused.value.code) == (422, 42210000)
    assert refused.value.message == 'asset "NOPE" not found'


async def test_an_order_beyond_the_buying_power_is_refused(shared_platform: LivePlatform, desk: Desk) -> None:
    shown = shared_platform.first_banner()
    newcomer = Desk(shared_platform, shown["API key"], shown["API secret"])
    with pytest.raises(APIError, match="insufficient buying power") as refused:
        newcomer.market(4_000, OrderSide.BUY)
    assert (refused.value.status_code, refused.value.code) == (403, 40310000)
    newcomer.client._session.close()
    desk.market(1, OrderSide.BUY)


async def test_the_trading_stream_tells_of_every_step(desk: Desk) -> None:
    updates: list[TradeUpdate] = []

    async def take(update: TradeUpdate) -> None:
        updates.append(update)

    def events_of(order: Order) -> list[str]:
        return [update.event for update in updates if update.order.id == order.id]

    stream = TradingStream(desk.key, desk.secret, url_override=f"{desk.streams_url}/stream")
    stream.subscribe_trade_updates(take)
    async with running(stream):
        first = await asyncio.to_thread(desk.limit, FAR_BELOW_THE_MARKET)
        await until(lambda: "new" in events_of(first))
        bought = await asyncio.to_thread(desk.market, 3, OrderSide.BUY)
        await until(lambda: "fill" in events_of(bought))
        await asyncio.to_thread(desk.client.cancel_order_by_id, first.id)
        await until(lambda: "canceled" in events_of(first))
    [fill] = [update for update in updates if update.event == "fill"]
    assert fill.price is not None
    assert (fill.position_qty, fill.order.filled_qty) == (3, "3")


async def test_the_stock_stream_brings_quotes_and_trades(desk: Desk) -> None:
    quotes: list[Any] = []
    trades: list[Any] = []

    async def take_quote(quote: Any) -> None:
        quotes.append(quote)

    async def take_trade(trade: Any) -> None:
        trades.append(trade)

    stream = StockDataStream(desk.key, desk.secret, url_override=f"{desk.streams_url}/v2/iex")
    stream.subscribe_quotes(take_quote, "AAPL")
    stream.subscribe_trades(take_trade, "AAPL", "MSFT")
    async with running(stream):
        await until(lambda: len(quotes) >= 3 and {trade.symbol for trade in trades} == {"AAPL", "MSFT"})
    assert {quote.symbol for quote in quotes} == {"AAPL"}
    assert all(0 < quote.bid_price < quote.ask_price for quote in quotes)
    assert [quote.timestamp for quote in quotes] == sorted(quote.timestamp for quote in quotes)
    assert all(trade.price > 0 and trade.size > 0 for trade in trades)


async def test_the_crypto_stream_brings_quotes(desk: Desk) -> None:
    quotes: list[Any] = []

    async def take(quote: Any) -> None:
        quotes.append(quote)

    stream = CryptoDataStream(desk.key, desk.secret, url_override=f"{desk.streams_url}/v1beta3/crypto/us")
    stream.subscribe_quotes(take, "BTC/USD")
    async with running(stream):
        await until(lambda: bool(quotes))
    assert quotes[0].symbol == "BTC/USD"


@asynccontextmanager
async def running(stream: Any) -> AsyncIterator[None]:
    """The stream as `stream.run()` runs it, connected; closed at the end."""
    task = asyncio.create_task(stream._run_forever())
    try:
        await until(lambda: bool(stream._running))
        yield
    finally:
        await stream.stop_ws()
        await stream.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; `AssertionError` when that takes too long. A condition may ask the server."""
    deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
    while not await asyncio.to_thread(condition):
        assert asyncio.get_running_loop().time() < deadline_s, "it does not happen"
        await asyncio.sleep(POLL_S)
