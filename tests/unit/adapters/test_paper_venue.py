"""What is special about the paper venue: its clock, its market data and its bounded buffer."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from tests.venue_scenarios import MIDNIGHT_NS, MS, NOON_NS, order, quote, rules, say, trade
from tradewind.adapters.memory.market_data import MemoryMarketData
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.adapters.venues.paper import PaperVenue
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.ticks import MarketEvent, Quote, Trade
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.venue_reports import VenueExecution
from tradewind.engine.venue_policies.latency import FixedLatency, LatencyPolicy, NoLatency
from tradewind.ports.clock import Clock
from tradewind.ports.errors import BusUnavailable
from tradewind.ports.market_data import MarketDataSubscriber


class _HandClock:
    def __init__(self) -> None:
        self.ts_ns = NOON_NS

    def now_ns(self) -> int:
        return self.ts_ns


def _paper(
    market_data: MarketDataSubscriber,
    *,
    latency: LatencyPolicy = NoLatency(),  # noqa: B008 - policies are frozen
    clock: Clock | None = None,
    waiting_reports_max: int = 1_000,
) -> PaperVenue:
    return PaperVenue(
        rules=rules(latency=latency),
        market_data=market_data,
        clock=clock or SystemClock(),
        ids=Uuid7Source(),
        waiting_reports_max=waiting_reports_max,
    )


async def _said(venue: PaperVenue, timeout_s: float = 2.0) -> list[str]:
    return [say(report) for report in await venue.reports(timeout_s)]


async def test_it_knows_the_latest_quotes_when_it_starts() -> None:
    market_data = MemoryMarketData()
    await market_data.publish([quote("9.98x300", "10.00x200"), quote("9.99x300", "10.01x200")])
    async with _paper(market_data) as venue:
        await venue.submit([order("buy 100 market")])
        assert await _said(venue) == ["A accepted", "A 100 @ 10.01 done"]


async def test_quotes_and_trades_of_the_stream_fill_waiting_orders_and_wake_the_reader() -> None:
    market_data = MemoryMarketData()
    async with _paper(market_data) as venue:
        await venue.submit([order("buy 100 limit 9.90"), order("buy 5 market", order_id="B")])
        assert await _said(venue) == ["A accepted", "B accepted"]
        reader = asyncio.create_task(_said(venue))
        await asyncio.sleep(0.01)
        assert not reader.done()
        await market_data.publish([quote("9.99x300", "10.01x200"), trade("9.89x40")])
        assert await reader == ["B 5 @ 10.01 done", "A 40 @ 9.9"]


async def test_an_order_takes_its_latency() -> None:
    market_data = MemoryMarketData()
    await market_data.publish([quote("9.99x300", "10.01x200")])
    async with _paper(market_data, latency=FixedLatency(100 * MS)) as venue:
        sent_ns = SystemClock().now_ns()
        await venue.submit([order("buy 100 market")])
        assert await venue.reports(0.005) == []
        reports = await venue.reports(2.0)
        assert [say(report) for report in reports] == ["A accepted", "A 100 @ 10.01 done"]
        assert all(0 <= report.ts_ns - sent_ns - 100 * MS < 50 * MS for report in reports)


async def test_the_timer_is_hurried_when_something_earlier_is_due() -> None:
    async with _paper(MemoryMarketData(), latency=FixedLatency(20 * MS)) as venue:
        await asyncio.sleep(0.01)  # the timer sleeps its longest sleep by now
        started = asyncio.get_running_loop().time()
        await venue.submit([order("buy 100 limit 9.00")])
        assert await _said(venue) == ["A accepted"]
        assert asyncio.get_running_loop().time() - started < 0.5


async def test_day_orders_expire_by_the_clock_alone() -> None:
    clock = _HandClock()
    async with _paper(MemoryMarketData(), clock=clock) as venue:
        await venue.submit([order("buy 100 limit 9.90", time_in_force="day")])
        assert await _said(venue) == ["A accepted"]
        clock.ts_ns = MIDNIGHT_NS
        assert await _said(venue) == ["A expired"]


async def test_with_a_full_buffer_the_market_waits_and_no_report_is_lost() -> None:
    market_data = MemoryMarketData()
    async with _paper(market_data, waiting_reports_max=4) as venue:
        await venue.submit([order("buy 10 limit 9.90")])
        for _ in range(10):
            await market_data.publish([trade("9.80x1")])
            await asyncio.sleep(0.001)
        assert venue.waiting_report_count == 4
        said = await _said(venue)
        while len(said) < 11:
            more = await _said(venue)
            assert 0 < len(more) <= 4
            said += more
        assert said == ["A accepted", *["A 1 @ 9.9"] * 9, "A 1 @ 9.9 done"]


async def test_orders_are_taken_even_when_the_buffer_is_full() -> None:
    async with _paper(MemoryMarketData(), waiting_reports_max=1) as venue:
        await venue.submit([order("buy 1 limit 9.90", order_id=f"{number}") for number in range(5)])
        assert await _said(venue) == [f"{number} accepted" for number in range(5)]


async def test_execution_ids_differ_from_start_to_start() -> None:
    market_data = MemoryMarketData()
    await market_data.publish([quote("9.99x300", "10.01x200")])
    ids = set()
    for _ in range(3):
        async with _paper(market_data) as venue:
            await venue.submit([order("buy 1 market")])
            ids |= {r.execution_id for r in await venue.reports(1.0) if isinstance(r, VenueExecution)}
    assert len(ids) == 3


async def test_reconciling_drops_fills_that_nobody_read_and_trades_what_the_books_say() -> None:
    market_data = MemoryMarketData()
    await market_data.publish([quote("9.99x300", "10.01x40")])
    async with _paper(market_data) as venue:
        await venue.submit([order("buy 100 market"), order("sell 1 market", order_id="other")])
        await venue.reconcile([order("buy 100 market", status=OrderStatus.NEW)])
        assert await _said(venue) == ["other accepted", "other 1 @ 9.99 done", "A accepted"]
        await market_data.publish([quote("9.99x300", "10.01x400")])
        assert await _said(venue) == ["A 100 @ 10.01 done"]


async def test_reconciled_orders_keep_their_time_priority() -> None:
    market_data = MemoryMarketData()
    async with _paper(market_data) as venue:
        late = order("buy 50 limit 9.90", order_id="late", submitted_at_ns=NOON_NS + 1)
        early = order("buy 50 limit 9.90", order_id="early", submitted_at_ns=NOON_NS)
        await venue.reconcile([late, early])
        await market_data.publish([trade("9.80x60")])
        await asyncio.sleep(0.01)
        assert (await _said(venue))[2:] == ["early 50 @ 9.9 done", "late 10 @ 9.9"]


async def test_a_replacement_that_was_canceled_before_it_happened_ends_canceled() -> None:
    async with _paper(MemoryMarketData()) as venue:
        old = order("buy 100 limit 9.00", status=OrderStatus.PENDING_REPLACE)
        new = order("buy 90 limit 9.1", order_id="B", replaces="A", status=OrderStatus.PENDING_CANCEL)
        await venue.reconcile([old, new])
        assert await _said(venue) == ["A accepted", "A replaced by B", "B canceled"]


async def test_forgetting_makes_room_for_the_market() -> None:
    market_data = MemoryMarketData()
    async with _paper(market_data, waiting_reports_max=1) as venue:
        await venue.submit([order("buy 1 limit 9.90"), order("buy 1 limit 9.95", order_id="B")])
        assert await _said(venue) == ["A accepted", "B accepted"]
        await venue.submit([order("buy 1 limit 9.80", order_id="C")])
        await market_data.publish([trade("9.85x2")])
        await asyncio.sleep(0.01)
        await venue.forget(["C"])
        assert await _said(venue) == ["B 1 @ 9.95 done", "A 1 @ 9.9 done"]


async def test_after_forgetting_all_there_is_to_say_a_reader_waits() -> None:
    async with _paper(MemoryMarketData()) as venue:
        await venue.submit([order("buy 1 limit 9.90")])
        await venue.forget(["A"])
        started = asyncio.get_running_loop().time()
        assert await venue.reports(0.05) == []
        assert asyncio.get_running_loop().time() - started >= 0.04


async def test_closing_ends_the_subscription() -> None:
    market_data = MemoryMarketData()
    venue = _paper(market_data)
    await venue.start()
    await asyncio.sleep(0)
    assert market_data.subscriber_count == 1
    await venue.close()
    assert market_data.subscriber_count == 0


class _NoQuotes(MemoryMarketData):
    async def latest_quotes(self) -> Mapping[Symbol, Quote]:
        raise BusUnavailable("connection refused")


async def test_without_the_latest_quotes_it_starts_and_follows_the_stream() -> None:
    market_data = _NoQuotes()
    async with _paper(market_data) as venue:
        await venue.submit([order("buy 1 market")])
        assert await _said(venue) == ["A accepted"]
        await market_data.publish([quote("9.99x300", "10.01x40")])
        assert await _said(venue) == ["A 1 @ 10.01 done"]


class _BrokenStream:
    async def _fail(self) -> AsyncIterator[Sequence[MarketEvent]]:
        yield ()
        raise ZeroDivisionError("a bug")

    def subscribe(self) -> AsyncIterator[Sequence[MarketEvent]]:
        return self._fail()

    async def latest_quotes(self) -> Mapping[Symbol, Quote]:
        return {}

    async def latest_trades(self) -> Mapping[Symbol, Trade]:
        return {}


async def test_whoever_reads_reports_learns_what_broke_the_venue() -> None:
    async with _paper(_BrokenStream()) as venue:
        async with asyncio.timeout(2.0):  # at once, not when nothing came for a minute
            with pytest.raises(ZeroDivisionError, match="a bug"):
                await venue.reports(60.0)
