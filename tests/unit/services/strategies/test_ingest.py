"""From a feed to everyone: bars in their place, storage that survives, nothing without the lease."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from decimal import Decimal

import pytest

from tradewind.adapters.memory.bar_backlog import MemoryBarBacklog
from tradewind.adapters.memory.bar_store import MemoryBarStore
from tradewind.adapters.memory.lease import MemoryLeases
from tradewind.adapters.memory.market_data import MemoryMarketData
from tradewind.domain.market.ticks import Bar, DailyBar, MarketEvent, Quote, Trade
from tradewind.domain.market.timeframe import NS_PER_S, Timeframe
from tradewind.operations.metrics import REGISTRY
from tradewind.ports.errors import BusUnavailable, StoreUnavailable
from tradewind.ports.feed import Feed
from tradewind.services.strategies import leadership
from tradewind.services.strategies.bar_spool import BarSpool
from tradewind.services.strategies.ingest import Ingest, IngestPlan
from tradewind.services.strategies.leadership import run_while_leading

PLAN = IngestPlan(
    timeframes=[Timeframe.parse("1Min"), Timeframe.parse("5Sec")], stored_timeframes=frozenset({"1Min"})
)


def trade(second: float, price: str = "10") -> Trade:
    return Trade("AAPL", Decimal(price), Decimal(1), int(second * NS_PER_S), int(second))


def quote(second: float) -> Quote:
    one = Decimal(1)
    return Quote("AAPL", one, one, Decimal(2), one, int(second * NS_PER_S))


class ListedFeed:
    """Gives the batches of a list and ends."""

    def __init__(self, *batches: Sequence[MarketEvent]) -> None:
        self._batches = batches

    @property
    def name(self) -> str:
        return "listed"

    async def stream(self) -> AsyncIterator[Sequence[MarketEvent]]:
        for batch in self._batches:
            yield batch
            await asyncio.sleep(0)


class RecordingMarket(MemoryMarketData):
    """Remembers what was published; fails while `is_available` is false."""

    def __init__(self) -> None:
        super().__init__()
        self.is_available = True
        self.published: list[MarketEvent] = []

    async def publish(self, events: Sequence[MarketEvent]) -> None:
        if not self.is_available:
            raise BusUnavailable("gone")
        self.published += events


def opened(feed: Feed) -> Callable[[], Awaitable[Feed]]:
    async def open_feed() -> Feed:
        return feed

    return open_feed


async def run_to_end(ingest: Ingest) -> None:
    running = asyncio.create_task(ingest.run())
    async with asyncio.timeout(3):
        await ingest.ended.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def new_ingest(
    feed: Feed,
    market: RecordingMarket,
    store: MemoryBarStore,
    may_act: Callable[[], bool] = lambda: True,
    earlier: Sequence[Bar] = (),
) -> Ingest:
    async def earlier_minutes() -> Sequence[Bar]:
        return earlier

    return Ingest(
        open_feed=opened(feed),
        earlier_minutes=earlier_minutes,
        plan=PLAN,
        publisher=market,
        spool=BarSpool(store, MemoryBarBacklog()),
        may_act=may_act,
    )


async def test_bars_are_published_where_time_completes_them_and_the_minutes_are_stored() -> None:
    market, store = RecordingMarket(), MemoryBarStore()
    feed = ListedFeed([trade(58), quote(59), quote(60.5)], [trade(61), trade(66)])
    await run_to_end(new_ingest(feed, market, store))
    shown = [
        f"{event.timeframe} {event.start_ns // NS_PER_S}" if isinstance(event, Bar) else type(event).__name__
        for event in market.published
    ]
    assert shown == [
        "Trade", "Quote", "1Min 0", "DailyBar", "5Sec 55", "Quote", "Trade", "5Sec 60", "Trade", "5Sec 65", "1Min 60",
        "DailyBar",
    ]  # fmt: skip
    stored = await store.read_bars("AAPL", "1Min", 0, 1 << 62, 10)
    assert [bar.start_ns // NS_PER_S for bar in stored] == [0, 60]
    assert await store.latest_bars("5Sec") == {}


async def test_the_day_so_far_goes_out_with_each_minute_bar_and_goes_on_after_a_restart() -> None:
    market, store = RecordingMarket(), MemoryBarStore()
    morning = [trade(30, "12"), trade(90, "8")]
    await run_to_end(new_ingest(ListedFeed(morning), market, store))
    minutes = await store.read_bars("AAPL", "1Min", 0, 1 << 62, 10)
    afternoon = [trade(7_200, "9"), trade(86_400, "20")]
    await run_to_end(new_ingest(ListedFeed(afternoon), market, store, earlier=minutes))
    days = [event for event in market.published if isinstance(event, DailyBar)]
    shown = [
        (day.start_ns // NS_PER_S, str(day.open), str(day.low), str(day.close), int(day.volume))
        for day in days
    ]
    assert shown == [
        (0, "12", "12", "12", 1),
        (0, "12", "8", "8", 2),
        (0, "12", "8", "9", 3),
        (86_400, "20", "20", "20", 1),
    ]
    assert await store.latest_bars("1Day") == {}


async def test_without_the_bus_bars_are_stored_all_the_same() -> None:
    market, store = RecordingMarket(), MemoryBarStore()
    market.is_available = False
    await run_to_end(new_ingest(ListedFeed([trade(1)], [trade(2)]), market, store))
    assert len(await store.read_bars("AAPL", "1Min", 0, 1 << 62, 10)) == 1


async def test_without_the_lease_nothing_leaves() -> None:
    market, store = RecordingMarket(), MemoryBarStore()
    await run_to_end(new_ingest(ListedFeed([trade(1)], [trade(2)]), market, store, lambda: False))
    assert market.published == []
    assert await store.coverage() == []


def minute_bars(count: int) -> list[Bar]:
    one = Decimal(1)
    return [
        Bar("AAPL", "1Min", number * 60 * NS_PER_S, one, one, one, one, one, 1, one)
        for number in range(count)
    ]


async def test_a_feed_that_waits_for_its_store_says_so_until_it_has_it() -> None:
    store, is_away = MemoryBarStore(), True

    async def earlier_minutes() -> Sequence[Bar]:
        if is_away:
            raise StoreUnavailable("401 unauthorized")
        return []

    ingest = Ingest(
        open_feed=opened(ListedFeed([trade(0)])),
        earlier_minutes=earlier_minutes,
        plan=PLAN,
        publisher=RecordingMarket(),
        spool=BarSpool(store, MemoryBarBacklog()),
        may_act=lambda: True,
    )
    assert await ingest.readiness() is None
    running = asyncio.create_task(ingest.run())
    await asyncio.sleep(0.05)
    assert await ingest.readiness() == "the feed waits for the store: 401 unauthorized"
    is_away = False
    async with asyncio.timeout(3):
        await ingest.ended.wait()
    assert await ingest.readiness() is None
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_bars_wait_for_a_store_that_is_away() -> None:
    store = MemoryBarStore()
    store.is_available = False
    spool = BarSpool(store, MemoryBarBacklog())
    storing = asyncio.create_task(spool.run())
    spool.add(minute_bars(3))
    await asyncio.sleep(0.02)
    assert len(spool) == 3
    store.is_available = True
    async with asyncio.timeout(3):
        while len(spool):  # noqa: ASYNC110 - the spool tells nobody when it is empty
            await asyncio.sleep(0.01)
    storing.cancel()
    assert (await store.coverage())[0].count == 3


async def test_a_full_spool_drops_the_oldest_and_counts_them() -> None:
    store = MemoryBarStore()
    store.is_available = False
    spool = BarSpool(store, MemoryBarBacklog(waiting_bars_max=5))
    before = REGISTRY.get_sample_value("tradewind_bars_dropped_total") or 0
    spool.add(minute_bars(8))
    assert REGISTRY.get_sample_value("tradewind_bars_dropped_total") == before + 3
    assert REGISTRY.get_sample_value("tradewind_bars_spooled") == 5
    with pytest.raises(StoreUnavailable):
        await store.coverage()
    store.is_available = True
    await spool.drain()
    assert [b.start_ns // 60 // NS_PER_S for b in await store.read_bars("AAPL", "1Min", 0, 1 << 62, 9)] == [
        3,
        4,
        5,
        6,
        7,
    ]


async def test_exactly_one_of_two_works_and_the_other_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leadership, "ACQUIRE_INTERVAL_S", 0.01)
    leases = MemoryLeases()
    working: list[str] = []

    async def work(name: str) -> None:
        working.append(name)
        try:
            await asyncio.Event().wait()
        finally:
            working.remove(name)

    first = asyncio.create_task(run_while_leading(leases.lease("feed"), lambda: work("first")))
    await asyncio.sleep(0.01)
    stood_by: list[str] = []
    second = asyncio.create_task(
        run_while_leading(leases.lease("feed"), lambda: work("second"), lambda: stood_by.append("second"))
    )
    await asyncio.sleep(0.05)
    assert working == ["first"]
    assert set(stood_by) == {"second"}
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await asyncio.sleep(0.05)
    assert working == ["second"]
    leases.revoke("feed")
    leases.is_available = False
    await asyncio.sleep(0.05)
    assert working == []
    leases.is_available = True
    await asyncio.sleep(0.05)
    assert working == ["second"]
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert leases.holders == {}


async def test_work_that_fails_gives_the_lease_up_and_says_so() -> None:
    leases = MemoryLeases()

    async def fail() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await run_while_leading(leases.lease("feed"), fail)
    assert leases.holders == {}
