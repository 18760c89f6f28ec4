"""Real daily prices of a share, imported from a file, replayed through the feed, and traded by the example strategy."""

import asyncio
import gzip
from collections.abc import Sequence
from decimal import Decimal
from importlib import resources
from pathlib import Path

import pytest

from tests.unit.services.strategies.paper_desk import ACCOUNT, CASH, PaperDesk
from tradewind.adapters.feeds.replay import ReplayFeed, ReplayPlan
from tradewind.adapters.files.bar_files import read_bars
from tradewind.adapters.memory.bar_backlog import MemoryBarBacklog
from tradewind.adapters.memory.bar_store import MemoryBarStore
from tradewind.adapters.memory.market_data import MemoryMarketData
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.domain.events import OrderExecuted
from tradewind.domain.market.ticks import Bar, DailyBar, MarketEvent
from tradewind.domain.market.timeframe import Timeframe
from tradewind.domain.market.universe import default_universe
from tradewind.domain.orders.terms import Side
from tradewind.entrypoints.feeds import no_minutes
from tradewind.ports.feed import Feed
from tradewind.services.strategies.bar_spool import BarSpool
from tradewind.services.strategies.host import Assignment
from tradewind.services.strategies.ingest import Ingest, IngestPlan
from tradewind.services.strategies.order_sender import Sending
from tradewind.services.strategies.runner import Links, StrategyRunner
from tradewind.strategy.examples.moving_average_cross import MovingAverageCross

DAY = Timeframe.parse("1Day")
MINUTE = Timeframe.parse("1Min")
INSTRUMENTS = {instrument.symbol: instrument for instrument in default_universe()}
DAYS = 500
AT_ONCE = 1e12
FAST, SLOW = 5, 15


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> list[Bar]:
    """The last five hundred days of AAPL in `bokeh_sampledata`, by way of a CSV file as a user has it."""
    packed = resources.files("bokeh_sampledata").joinpath("_data", "stocks.csv.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    path: Path = tmp_path_factory.mktemp("prices") / "aapl.csv"
    path.write_text("\n".join([lines[0], *(line for line in lines if line.startswith("AAPL,"))]))
    bars = read_bars(path, "AAPL", DAY)
    assert len(bars) == 3_270
    return bars[-DAYS:]


class StepByStep:
    """Publishes event by event, and lets the desk and the strategy finish with each before the next."""

    def __init__(self, market: MemoryMarketData, desk: PaperDesk) -> None:
        self._market = market
        self._desk = desk
        self.bars: list[Bar] = []

    async def publish(self, events: Sequence[MarketEvent]) -> None:
        for event in events:
            await self._market.publish([event])
            await self._desk.on_market([event])
            if isinstance(event, Bar):
                self.bars.append(event)
                for _ in range(40):
                    await asyncio.sleep(0)
                await self._desk.publish()


def expected_sides(bars: Sequence[Bar]) -> list[Side]:
    """What a moving-average cross does on these closes, computed the plain way."""
    closes = [bar.close for bar in bars]
    sides: list[Side] = []
    for end in range(SLOW, len(closes) + 1):
        wants_it = sum(closes[end - FAST : end]) * SLOW > sum(closes[end - SLOW : end]) * FAST
        if wants_it != (len(sides) % 2 == 1):
            sides.append(Side.BUY if wants_it else Side.SELL)
    return sides


async def test_replayed_days_are_told_as_daily_bars(prices: list[Bar]) -> None:
    store = MemoryBarStore()
    await store.write_bars(prices[:20])
    replayed = ReplayPlan(instruments={"AAPL": INSTRUMENTS["AAPL"]}, timeframe=DAY, speed=AT_ONCE)

    async def open_feed() -> Feed:
        return ReplayFeed(store, replayed)

    told: dict[int, DailyBar] = {}

    class Listener(MemoryMarketData):
        async def publish(self, events: Sequence[MarketEvent]) -> None:
            told.update({event.start_ns: event for event in events if isinstance(event, DailyBar)})

    ingest = Ingest(
        open_feed=open_feed,
        earlier_minutes=no_minutes,
        plan=IngestPlan(timeframes=[MINUTE], stored_timeframes=()),
        publisher=Listener(),
        spool=BarSpool(store, MemoryBarBacklog()),
        may_act=lambda: True,
    )
    replaying = asyncio.create_task(ingest.run())
    async with asyncio.timeout(5):
        await ingest.ended.wait()
    replaying.cancel()
    await asyncio.gather(replaying, return_exceptions=True)
    fields = ("start_ns", "open", "high", "low", "close", "volume")
    shown = [[getattr(day, name) for name in fields] for _, day in sorted(told.items())]
    assert shown == [[getattr(bar, name) for name in fields] for bar in prices[:20]]


async def test_the_example_strategy_trades_real_prices_from_a_file(prices: list[Bar]) -> None:
    store, market, desk = MemoryBarStore(), MemoryMarketData(), PaperDesk(INSTRUMENTS)
    await store.write_bars(prices)
    desk.open_account()
    publisher = StepByStep(market, desk)
    plan = ReplayPlan(instruments={"AAPL": INSTRUMENTS["AAPL"]}, timeframe=DAY, speed=AT_ONCE)

    async def open_feed() -> Feed:
        return ReplayFeed(store, plan)

    links = Links(desk.bus, desk.order_events, desk.queries, market, desk.clock, Uuid7Source())
    runner = StrategyRunner(
        lambda: MovingAverageCross(fast=FAST, slow=SLOW),
        Assignment(account_id=ACCOUNT, symbols=("AAPL",), timeframe="1Day"),
        links,
        Sending(reply_to="", deadline_ms=1_000, may_act=lambda: True),
    )
    ingest = Ingest(
        open_feed=open_feed,
        earlier_minutes=no_minutes,
        plan=IngestPlan(timeframes=[DAY], stored_timeframes=()),
        publisher=publisher,
        spool=BarSpool(store, MemoryBarBacklog()),
        may_act=lambda: True,
    )
    trading = asyncio.create_task(runner.run())
    while not market.subscriber_count:  # noqa: ASYNC110 - the runner tells nobody when it listens
        await asyncio.sleep(0.005)
    replaying = asyncio.create_task(ingest.run())
    async with asyncio.timeout(20):
        await ingest.ended.wait()
    await asyncio.sleep(0.02)

    def outline(bars: Sequence[Bar]) -> list[tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]]:
        return [(bar.start_ns, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars]

    assert outline(publisher.bars) == outline(prices)
    executions = [event for event in desk.events if isinstance(event, OrderExecuted)]
    sides = expected_sides(prices)
    assert [execution.side for execution in executions] == sides
    assert len(sides) > 20
    assert runner.host is not None
    assert not runner.host.has_failed
    account = desk.account
    moved = sum((e.qty * e.price * (-1 if e.side is Side.BUY else 1) for e in executions), Decimal(0))
    assert account.cash == CASH + moved
    assert runner.host.position("AAPL").qty == account.positions["AAPL"].qty
    for task in (trading, replaying):
        task.cancel()
    await asyncio.gather(trading, replaying, return_exceptions=True)
