"""Market data from a feed to everyone: builds bars and running days, publishes, stores."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import TypeVar

import msgspec

from tradewind.domain.market.bar_aggregator import BarAggregator
from tradewind.domain.market.daily_bars import DailyBars
from tradewind.domain.market.ticks import Bar, MarketEvent, Quote, Trade
from tradewind.domain.market.timeframe import Timeframe
from tradewind.operations.backoff import Backoff
from tradewind.operations.logging import get_logger
from tradewind.operations.metrics import FEED_EVENTS, FEED_LAST_EVENT_AGE, FEED_LEASE_HELD
from tradewind.ports.errors import BusUnavailable, StoreUnavailable
from tradewind.ports.feed import Feed
from tradewind.ports.market_data import MarketDataPublisher
from tradewind.services.strategies.bar_spool import BarSpool

OUTAGE_LOG_INTERVAL_S = 10.0
"""While the bus is away, one line is logged this often."""

Value = TypeVar("Value")

_log = get_logger(__name__)


class IngestPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Which bars are built, and which of them are stored (a replay stores none: it would overwrite its source)."""

    timeframes: Sequence[Timeframe]
    stored_timeframes: Collection[str]


class Ingest:
    """Runs one feed. Market data is best effort: what cannot be published now is dropped, bars are stored anyway.

    `open_feed` makes a feed that begins now; `earlier_minutes` reads the minute bars of the running day that came before.
    `may_act` is asked before anything leaves: false once the lease is over.
    """

    def __init__(
        self,
        *,
        open_feed: Callable[[], Awaitable[Feed]],
        earlier_minutes: Callable[[], Awaitable[Sequence[Bar]]],
        plan: IngestPlan,
        publisher: MarketDataPublisher,
        spool: BarSpool,
        may_act: Callable[[], bool],
    ) -> None:
        self._open_feed = open_feed
        self._earlier_minutes = earlier_minutes
        self._plan = plan
        self._publisher = publisher
        self._spool = spool
        self._may_act = may_act
        self._last_event_s: float | None = None
        self._outage_logged_s: float | None = None
        self._problem: str | None = None
        self.ended = asyncio.Event()
        """Set when the feed has given all it has."""
        FEED_LAST_EVENT_AGE.set_function(self.last_event_age_s)

    def last_event_age_s(self) -> float:
        """Seconds since the last batch came from the feed; NaN before the first."""
        return float("nan") if self._last_event_s is None else time.monotonic() - self._last_event_s

    async def readiness(self) -> str | None:
        """None while the feed runs, rests, or is another replica's; else what it waits for."""
        return self._problem

    async def run(self) -> None:
        """Run the feed. When it has ended, rest until cancelled: the lease stays, and nobody runs the feed again."""
        aggregator = BarAggregator(self._plan.timeframes)
        storing = asyncio.create_task(self._spool.run(), name="bar storage")
        FEED_LEASE_HELD.set(1)
        try:
            days = DailyBars(await self._persist(self._earlier_minutes))
            await self._run_feed(await self._persist(self._open_feed), aggregator, days)
            self.ended.set()
            await asyncio.Event().wait()
        finally:
            FEED_LEASE_HELD.set(0)
            self._problem = None
            storing.cancel()
            await asyncio.gather(storing, return_exceptions=True)
            if self._may_act():
                await self._spool.drain()
            self._spool.close()

    async def _persist(self, read: Callable[[], Awaitable[Value]]) -> Value:
        backoff = Backoff(initial_s=0.2, maximum_s=5.0, factor=2.0, source=random.Random())  # noqa: S311
        while True:
            try:
                value = await read()
            except StoreUnavailable as error:
                self._problem = f"the feed waits for the store: {error}"
                delay_s = backoff.next_delay_s()
                _log.warning("feed waits for the store", error=str(error), retry_in_s=round(delay_s, 2))
                await asyncio.sleep(delay_s)
            else:
                self._problem = None
                return value

    async def _run_feed(self, feed: Feed, aggregator: BarAggregator, days: DailyBars) -> None:
        _log.info("feed started", feed=feed.name, timeframes=[str(t) for t in self._plan.timeframes])
        async for batch in feed.stream():
            # Without the lease nothing leaves; the loss itself ends this task within a heartbeat.
            if self._may_act():
                self._last_event_s = time.monotonic()
                await self._hand_on(list(_with_days(_with_bars(batch, aggregator), days)))
        await self._hand_on(list(_with_days(aggregator.flush(), days)))
        _log.info("feed ended", feed=feed.name, late_trades=aggregator.late_trades)

    async def _hand_on(self, events: list[MarketEvent]) -> None:
        if not events:
            return
        stored = self._plan.stored_timeframes
        self._spool.add(e for e in events if isinstance(e, Bar) and e.timeframe in stored)
        try:
            await self._publisher.publish(events)
        except BusUnavailable as error:
            self._complain(error, len(events))
            return
        if self._outage_logged_s is not None:
            _log.info("market data is published again")
            self._outage_logged_s = None
        _count(events)

    def _complain(self, error: BusUnavailable, lost: int) -> None:
        now_s = time.monotonic()
        if self._outage_logged_s is None or now_s - self._outage_logged_s > OUTAGE_LOG_INTERVAL_S:
            _log.warning("market data is not published", error=str(error), lost=lost)
            self._outage_logged_s = now_s


def _with_bars(batch: Sequence[MarketEvent], aggregator: BarAggregator) -> list[MarketEvent]:
    """The batch with every bar put in where the time of the events completes it."""
    events: list[MarketEvent] = []
    for event in batch:
        if isinstance(event, Quote | Trade):
            events += aggregator.advance(event.ts_ns)
        if isinstance(event, Trade):
            events += aggregator.on_trade(event)
        events.append(event)
    return events


def _with_days(events: Sequence[MarketEvent], days: DailyBars) -> Iterator[MarketEvent]:
    """The events, and after each minute bar the day so far."""
    for event in events:
        yield event
        day = days.on_bar(event) if isinstance(event, Bar) else None
        if day is not None:
            yield day


_QUOTES = FEED_EVENTS.labels(kind="quote")
_TRADES = FEED_EVENTS.labels(kind="trade")
_BARS = FEED_EVENTS.labels(kind="bar")


def _count(events: Sequence[MarketEvent]) -> None:
    quotes = sum(isinstance(event, Quote) for event in events)
    trades = sum(isinstance(event, Trade) for event in events)
    _QUOTES.inc(quotes)
    _TRADES.inc(trades)
    _BARS.inc(len(events) - quotes - trades)
