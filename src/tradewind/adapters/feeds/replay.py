"""Stored history as a feed: bars of several symbols merged in the order of time, at a multiple of the clock's speed."""

import asyncio
import heapq
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.market.ticks import Bar, MarketEvent, Quote, Trade
from tradewind.domain.market.timeframe import NS_PER_S, Timeframe
from tradewind.engine.bar_replay import events_of
from tradewind.operations.backoff import Backoff
from tradewind.operations.logging import get_logger
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.market_data import BarStore

PAGE_BARS = 1_000
"""Bars of one symbol that are read at once."""
BATCH_EVENTS_MAX = 512
"""Events handed on at once when time is no limit."""
IDLE_BARS_MAX = 2
"""Longer gaps (nights, weekends) pass as if they lasted this many bars; the events' times stay historical."""
PACE_TOLERANCE_S = 0.001
"""Events due within this time are handed on at once."""

_END_OF_TIME_NS = (1 << 63) - 1
_TRADES_A_BAR = 4

_log = get_logger(__name__)


class ReplayPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay: stored bars of `timeframe` of the instruments, `speed` times faster than the clock."""

    instruments: Mapping[Symbol, Instrument]
    timeframe: Timeframe
    speed: float


class ReplayFeed:
    """Replays stored bars once, from the oldest to the newest, and ends."""

    def __init__(self, store: BarStore, plan: ReplayPlan) -> None:
        if not plan.speed > 0:
            raise ValueError(f"replay speed must be above 0, not {plan.speed}")
        self._store = store
        self._plan = plan

    @property
    def name(self) -> str:
        """`replay`."""
        return "replay"

    async def stream(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Batches of quotes and trades with their historical times."""
        pace = _Pace(self._plan.speed, IDLE_BARS_MAX * self._plan.timeframe.duration_ns)
        batch: list[MarketEvent] = []
        count = 0
        async for event in self._events():
            wait_s = pace.wait_s(event.ts_ns)
            if batch and (wait_s > PACE_TOLERANCE_S or len(batch) >= BATCH_EVENTS_MAX):
                yield batch
                batch = []
            if wait_s > PACE_TOLERANCE_S:
                await asyncio.sleep(wait_s)
            batch.append(event)
            count += 1
        if batch:
            yield batch
        _log.info("replay ended", events=count, symbols=sorted(self._plan.instruments))

    async def _events(self) -> AsyncIterator[Quote | Trade]:
        # Holds at most a page a symbol, and the events of the bars that overlap in time.
        pending: list[tuple[int, Symbol, int, Quote | Trade]] = []
        trade_ids = dict.fromkeys(self._plan.instruments, 1)
        serial = 0
        async for bar in self._bars():
            while pending and pending[0][0] < bar.start_ns:
                yield heapq.heappop(pending)[3]
            for event in events_of(bar, self._plan.instruments[bar.symbol], trade_ids[bar.symbol]):
                heapq.heappush(pending, (event.ts_ns, bar.symbol, serial, event))
                serial += 1
            trade_ids[bar.symbol] += _TRADES_A_BAR
        while pending:
            yield heapq.heappop(pending)[3]

    async def _bars(self) -> AsyncIterator[Bar]:
        sources = {symbol: self._bars_of(symbol) for symbol in sorted(self._plan.instruments)}
        heads: list[tuple[int, Symbol, Bar]] = []
        for symbol, source in sources.items():
            await _push_next(heads, symbol, source)
        while heads:
            _, symbol, bar = heapq.heappop(heads)
            yield bar
            await _push_next(heads, symbol, sources[symbol])

    async def _bars_of(self, symbol: Symbol) -> AsyncIterator[Bar]:
        start_ns = 0
        while True:
            page = await self._read_page(symbol, start_ns)
            for bar in page:
                yield bar
            if len(page) < PAGE_BARS:
                return
            start_ns = page[-1].start_ns + 1

    async def _read_page(self, symbol: Symbol, start_ns: int) -> list[Bar]:
        backoff = Backoff(initial_s=0.2, maximum_s=5.0, factor=2.0, source=random.Random())  # noqa: S311
        timeframe = str(self._plan.timeframe)
        while True:
            try:
                return await self._store.read_bars(symbol, timeframe, start_ns, _END_OF_TIME_NS, PAGE_BARS)
            except StoreUnavailable as error:
                delay_s = backoff.next_delay_s()
                _log.warning("replay waits for the bar store", error=str(error), delay_s=round(delay_s, 2))
                await asyncio.sleep(delay_s)


async def _push_next(
    heads: list[tuple[int, Symbol, Bar]], symbol: Symbol, source: AsyncIterator[Bar]
) -> None:
    bar = await anext(source, None)
    if bar is not None:
        heapq.heappush(heads, (bar.start_ns, symbol, bar))


class _Pace:
    """Maps event times to the moments when they are due."""

    def __init__(self, speed: float, idle_max_ns: int) -> None:
        self._speed = speed
        self._idle_max_ns = idle_max_ns
        self._previous_ns: int | None = None
        self._replayed_ns = 0
        self._started_s = 0.0

    def wait_s(self, ts_ns: int) -> float:
        if self._previous_ns is None:
            self._started_s = time.monotonic()
        else:
            self._replayed_ns += min(ts_ns - self._previous_ns, self._idle_max_ns)
        self._previous_ns = ts_ns
        due_s = self._started_s + self._replayed_ns / self._speed / NS_PER_S
        return due_s - time.monotonic()
