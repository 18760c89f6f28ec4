"""A hosted strategy: what it sees, what it may do, and what happens when something fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from tests.unit.services.strategies.paper_desk import ACCOUNT, CASH, PaperDesk
from tradewind.adapters.memory.market_data import MemoryMarketData
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.domain.commands import CancelOrder, SubmitOrder
from tradewind.domain.events import OrderExecuted
from tradewind.domain.market.universe import default_universe
from tradewind.ports.errors import BusUnavailable, ReplyOverdue
from tradewind.services.strategies import order_sender, runner
from tradewind.services.strategies.host import Assignment
from tradewind.services.strategies.order_sender import Sending
from tradewind.services.strategies.runner import Links, StrategyRunner
from tradewind.strategy import Bar, Fill, Order, OrderStatus, Quote, Strategy, TimeInForce, Trade

INSTRUMENTS = {instrument.symbol: instrument for instrument in default_universe()}
SECOND_NS = 1_000_000_000


class Recorder(Strategy):
    """Writes down what happens to it, and does in `on_bar` what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.orders: list[Order] = []
        self.fills: list[Fill] = []
        self.todo: list[Callable[[], object]] = []
        self.on_stopping: Callable[[], object] | None = None

    def on_start(self) -> None:
        self.seen.append("start")

    def on_bar(self, bar: Bar) -> None:
        self.seen.append(f"bar {bar.symbol} {bar.timeframe}")
        if self.todo:
            self.todo.pop(0)()

    def on_quote(self, quote: Quote) -> None:
        self.seen.append(f"quote {quote.symbol}")

    def on_trade(self, trade: Trade) -> None:
        self.seen.append(f"trade {trade.symbol}")

    def on_order(self, order: Order) -> None:
        self.orders.append(order)

    def on_fill(self, fill: Fill) -> None:
        self.fills.append(fill)

    def on_stop(self) -> None:
        self.seen.append("stop")
        if self.on_stopping is not None:
            self.on_stopping()


class Stage:
    """A desk, a market and a running strategy."""

    def __init__(self) -> None:
        self.desk = PaperDesk(INSTRUMENTS)
        self.market = MemoryMarketData()
        self.strategy = Recorder()
        self.may_act = True
        links = Links(
            bus=self.desk.bus,
            order_events=self.desk.order_events,
            queries=self.desk.queries,
            market_data=self.market,
            clock=self.desk.clock,
            ids=Uuid7Source(),
        )
        self.runner = StrategyRunner(
            lambda: self.strategy,
            Assignment(account_id=ACCOUNT, symbols=("AAPL", "BTC/USD"), timeframe="5Sec"),
            links,
            Sending(reply_to="here", deadline_ms=100, may_act=lambda: self.may_act),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Recorder]:
        running = asyncio.create_task(self.runner.run())
        await self.until(lambda: self.market.subscriber_count > 0)
        yield self.strategy
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(3):
            while not condition():  # noqa: ASYNC110 - what is waited for is spread over several objects
                await asyncio.sleep(0.002)

    async def quotes(self, bid: str, ask: str, symbol: str = "AAPL", size: str = "1000") -> None:
        quote = Quote(
            symbol, Decimal(bid), Decimal(size), Decimal(ask), Decimal(size), self.desk.clock.now_ns()
        )
        await self.market.publish([quote])
        await self.desk.on_market([quote])

    async def bar(self, symbol: str = "AAPL", timeframe: str = "5Sec") -> None:
        price = Decimal(100)
        await self.market.publish(
            [Bar(symbol, timeframe, 10 * SECOND_NS, price, price, price, price, price, 1, price)]
        )

    async def act(self, action: Callable[[], object]) -> None:
        """Let the strategy do something in its next bar, and let the desk publish what comes of it."""
        sent = len(self.desk.commands)
        self.strategy.todo.append(action)
        await self.bar()
        await self.until(lambda: len(self.desk.commands) > sent)
        await asyncio.sleep(0.01)
        await self.desk.publish()
        await asyncio.sleep(0.01)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.desk.open_account()
    return stage


async def test_it_sees_its_symbols_and_its_timeframe_only(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        await stage.quotes("99", "101", symbol="MSFT")
        await stage.bar()
        await stage.bar(timeframe="1Min")
        await stage.bar(symbol="MSFT")
        await stage.until(lambda: len(strategy.seen) >= 3)
        await asyncio.sleep(0.01)
        assert strategy.seen == ["start", "quote AAPL", "bar AAPL 5Sec"]
        assert strategy.symbols == ("AAPL", "BTC/USD")
        assert strategy.equity == CASH
    assert strategy.seen[-1] == "stop"


async def test_a_market_order_fills_and_the_position_is_there_when_the_fill_is_told(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        await stage.act(lambda: strategy.buy("AAPL", 10))
        await stage.until(lambda: strategy.fills)
        fill = strategy.fills[0]
        assert [fill.qty, fill.price, fill.position_qty] == [10, 101, 10]
        assert strategy.position("AAPL").qty == 10
        assert strategy.position("AAPL").average_entry_price == 101
        assert strategy.orders[-1].status is OrderStatus.FILLED
        assert fill.client_order_id == strategy.orders[-1].client_order_id
        assert strategy.open_orders("AAPL") == []
        assert strategy.equity == CASH - 10  # bought at 101, worth 100
        await stage.act(lambda: strategy.close("AAPL"))
        await stage.until(lambda: len(strategy.fills) == 2)
        assert strategy.position("AAPL").is_flat
        assert strategy.close("AAPL") is None


async def test_an_order_is_open_from_the_moment_it_is_sent_until_it_ends(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        during: list[int] = []

        def buy_and_look() -> None:
            strategy.buy("AAPL", 10, limit_price="98.50")
            during.append(len(strategy.open_orders("AAPL")))

        await stage.act(buy_and_look)
        assert during == [1]
        (order,) = strategy.open_orders("AAPL")
        assert (order.status, order.limit_price) == (OrderStatus.NEW, Decimal("98.50"))
        await stage.act(lambda: strategy.cancel(order.client_order_id))
        await stage.until(lambda: not strategy.open_orders("AAPL"))
        assert strategy.orders[-1].status is OrderStatus.CANCELED
        assert isinstance(stage.desk.commands[-1].command, CancelOrder)


async def test_crypto_orders_work_until_cancelled_and_shares_for_the_day(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        await stage.quotes("60000", "60010", symbol="BTC/USD")
        await stage.act(lambda: strategy.buy("BTC/USD", "0.01"))
        await stage.act(lambda: strategy.buy("AAPL", 1))
        sent = [e.command.time_in_force for e in stage.desk.commands if isinstance(e.command, SubmitOrder)]
        assert sent == [TimeInForce.GTC, TimeInForce.DAY]
        assert {e.reply_to for e in stage.desk.commands} == {"here"}


async def test_a_refused_order_comes_back_rejected_with_the_reason(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        await stage.act(lambda: strategy.buy("AAPL", 1_000_000))
        await stage.until(lambda: strategy.orders)
        assert strategy.orders[-1].status is OrderStatus.REJECTED
        assert strategy.orders[-1].reject_reason
        assert strategy.open_orders("AAPL") == []


async def test_an_order_that_certainly_was_not_sent_comes_back_rejected(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        stage.desk.breakdowns.append((BusUnavailable("gone"), False))
        await stage.act(lambda: strategy.buy("AAPL", 1))
        await stage.until(lambda: strategy.orders)
        assert strategy.orders[-1].reject_reason == "not sent: gone"
        await stage.act(lambda: strategy.buy("AAPL", 1))
        await stage.until(lambda: strategy.fills)


async def test_an_unanswered_order_that_exists_is_kept_and_never_sent_again(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        stage.desk.breakdowns.append((ReplyOverdue("no reply"), True))
        await stage.act(lambda: strategy.buy("AAPL", 10, limit_price=98))
        (order,) = strategy.open_orders("AAPL")
        assert order.status is OrderStatus.NEW
        assert len(stage.desk.commands) == 1


async def test_an_unanswered_order_that_does_not_exist_comes_back_rejected(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        stage.desk.breakdowns.append((ReplyOverdue("no reply"), False))
        await stage.act(lambda: strategy.buy("AAPL", 10))
        await stage.until(lambda: strategy.orders)
        assert strategy.orders[-1].reject_reason == "not processed before its deadline"
        assert not any(isinstance(event, OrderExecuted) for event in stage.desk.events)


async def test_fills_that_the_bus_lost_are_told_from_the_books_once(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        await stage.act(lambda: strategy.buy("AAPL", 1))
        await stage.act(lambda: strategy.buy("AAPL", 2))
        await stage.until(lambda: len(strategy.fills) == 2)
        stage.strategy.todo.append(lambda: strategy.buy("AAPL", 3))
        await stage.bar()
        await stage.until(lambda: len(stage.desk.commands) == 3)
        await asyncio.sleep(0.01)
        stage.desk.lose_unpublished()  # the bus loses everything about this order
        await stage.act(lambda: strategy.buy("AAPL", 4))
        await stage.until(lambda: len(strategy.fills) == 4)
        assert [fill.qty for fill in strategy.fills] == [1, 2, 3, 4]
        assert strategy.position("AAPL").qty == 10
        assert strategy.open_orders("AAPL") == []


async def test_fills_whose_events_cannot_be_read_are_told_from_the_books(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        stage.strategy.todo.append(lambda: strategy.buy("AAPL", 1))
        await stage.bar()
        await stage.until(lambda: len(stage.desk.commands) == 1)
        await asyncio.sleep(0.01)
        await stage.desk.publish()
        stage.desk.order_events.garble()
        await stage.until(lambda: strategy.fills)
        await stage.act(lambda: strategy.buy("AAPL", 2))
        await stage.until(lambda: len(strategy.fills) == 2)
        assert [fill.qty for fill in strategy.fills] == [1, 2]


async def test_an_outage_of_the_bus_is_survived_and_caught_up_with(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "EVENTS_TIMEOUT_S", 0.02)
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        await stage.act(lambda: strategy.buy("AAPL", 10, limit_price=98))
        stage.desk.order_events.is_available = False
        await asyncio.sleep(0.05)
        quote = Quote("AAPL", Decimal(96), Decimal(50), Decimal(97), Decimal(50), 1)
        stage.desk.move(quote)
        stage.desk.lose_unpublished()
        stage.desk.order_events.is_available = True
        await stage.until(lambda: strategy.fills)
        await stage.until(lambda: not strategy.open_orders("AAPL"))
        assert strategy.fills[0].qty == 10
        assert strategy.position("AAPL").qty == 10


async def test_a_strategy_that_raises_is_stopped_and_its_open_orders_are_cancelled(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        await stage.act(lambda: strategy.buy("AAPL", 10, limit_price=98))
        await stage.act(lambda: 1 / 0)
        await stage.until(lambda: not stage.desk.account.open_orders)
        seen = len(strategy.seen)
        await stage.bar()
        await asyncio.sleep(0.01)
        assert len(strategy.seen) == seen
        assert stage.runner.host is not None
        assert stage.runner.host.has_failed


async def test_orders_sent_while_stopping_still_leave(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        await stage.act(lambda: strategy.buy("AAPL", 10))
        await stage.until(lambda: strategy.fills)
        strategy.on_stopping = lambda: strategy.close("AAPL")
    assert stage.desk.account.positions["AAPL"].qty == 0


async def test_open_orders_and_positions_are_known_at_the_start(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        await stage.act(lambda: strategy.buy("AAPL", 10))
        await stage.act(lambda: strategy.buy("AAPL", 5, limit_price=98))
    again = Recorder()
    second = StrategyRunner(
        lambda: again, stage.runner._assignment, stage.runner._links, stage.runner._sending
    )
    running = asyncio.create_task(second.run())
    await stage.until(lambda: "start" in again.seen)
    assert again.position("AAPL").qty == 10
    assert [order.limit_price for order in again.open_orders("AAPL")] == [98]
    assert again.fills == []
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_without_the_lease_nothing_is_sent(stage: Stage) -> None:
    async with stage.running() as strategy:
        await stage.quotes("99", "101")

        def lose_the_lease_and_buy() -> None:
            stage.may_act = False
            strategy.buy("AAPL", 1)

        strategy.todo.append(lose_the_lease_and_buy)
        await stage.bar()
        await stage.until(lambda: strategy.orders)
        assert strategy.orders[-1].status is OrderStatus.REJECTED
        assert stage.desk.commands == []


async def test_it_waits_for_an_account_that_is_opened_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ACCOUNT_INTERVAL_S", 0.01)
    stage = Stage()
    running = asyncio.create_task(stage.runner.run())
    await asyncio.sleep(0.03)
    assert stage.strategy.seen == []
    stage.desk.open_account()
    await stage.until(lambda: stage.strategy.seen)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_strategy_that_floods_the_sender_is_stopped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_sender, "WAITING_COMMANDS_MAX", 3)
    async with stage.running() as strategy:
        await stage.quotes("99", "101")
        await stage.act(lambda: [strategy.buy("AAPL", 1, limit_price=90) for _ in range(4)])
        await stage.until(lambda: stage.runner.host is not None and stage.runner.host.has_failed)
        assert len(stage.desk.commands) >= 3


async def test_readiness_tells_what_becomes_of_the_strategy() -> None:
    stage = Stage()
    running = asyncio.create_task(stage.runner.run())
    status = stage.runner.status
    assert await status.check() == "not started yet"
    await stage.until(lambda: status.problem == f"not started yet: there is no account {ACCOUNT}")
    stage.desk.open_account()
    await stage.until(lambda: status.problem is None)

    def explode() -> None:
        raise ValueError("no such thing\nas a dip")

    stage.strategy.todo.append(explode)
    await stage.until(lambda: stage.market.subscriber_count > 0)
    await stage.bar()
    await stage.until(lambda: status.problem is not None)
    assert status.problem == "failed in on_bar: ValueError: no such thing as a dip"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_strategy_that_fails_at_its_start_is_not_called_running() -> None:
    stage = Stage()
    stage.desk.open_account()

    def refuse() -> None:
        raise KeyError("AAPL")

    stage.strategy.on_start = refuse  # type: ignore[method-assign]
    async with stage.running():
        assert stage.runner.status.problem == "failed in refuse: KeyError: 'AAPL'"


async def test_a_strategy_that_cannot_be_made_rests_and_says_so() -> None:
    stage = Stage()

    def cannot() -> Strategy:
        raise OSError("no model file")

    stage.runner._make_strategy = cannot
    running = asyncio.create_task(stage.runner.run())
    await stage.until(lambda: stage.runner.status.problem != "not started yet")
    assert stage.runner.status.problem == "failed in its constructor: OSError: no model file"
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
