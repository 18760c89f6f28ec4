"""Replay and the simulated feed: order, times, pace, and bars that come out as they went in."""

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.adapters.feeds import replay, simulated
from tradewind.adapters.feeds.replay import ReplayFeed, ReplayPlan
from tradewind.adapters.feeds.simulated import SimulatedFeed
from tradewind.adapters.memory.bar_store import MemoryBarStore
from tradewind.adapters.system.clock import SystemClock
from tradewind.domain.market.bar_aggregator import BarAggregator
from tradewind.domain.market.ticks import Bar, MarketEvent, Quote, Trade
from tradewind.domain.market.timeframe import NS_PER_S, Timeframe
from tradewind.domain.market.universe import default_universe
from tradewind.engine.bar_replay import UNKNOWN_QUOTE_SIZE, events_of
from tradewind.engine.market_simulation import MarketSimulation

INSTRUMENTS = {instrument.symbol: instrument for instrument in default_universe()}
MINUTE = Timeframe.parse("1Min")
AT_ONCE = 1e12


def bar(minute: int, symbol: str = "AAPL", close: str = "10.50", volume: str = "101") -> Bar:
    return Bar(
        symbol=symbol,
        timeframe="1Min",
        start_ns=minute * MINUTE.duration_ns,
        open=Decimal("10.20"),
        high=Decimal("11.0001"),
        low=Decimal("9.99"),
        close=Decimal(close),
        volume=Decimal(volume),
        trade_count=5,
        vwap=Decimal("10.3"),
    )


async def replayed(
    store: MemoryBarStore, symbols: Sequence[str], speed: float = AT_ONCE
) -> list[MarketEvent]:
    plan = ReplayPlan(instruments={s: INSTRUMENTS[s] for s in symbols}, timeframe=MINUTE, speed=speed)
    return [event async for batch in ReplayFeed(store, plan).stream() for event in batch]


def test_a_rising_bar_visits_its_low_first_and_a_falling_one_its_high() -> None:
    def prices(bar: Bar) -> list[str]:
        return [str(e.price) for e in events_of(bar, INSTRUMENTS["AAPL"], 1) if isinstance(e, Trade)]

    assert prices(bar(0, close="10.50")) == ["10.20", "9.99", "11.0001", "10.50"]
    assert prices(bar(0, close="10.10")) == ["10.20", "11.0001", "9.99", "10.10"]


PRICES = st.decimals("0.0001", "2000", places=4)


@given(
    st.lists(PRICES, min_size=4, max_size=4),
    st.decimals("0", "100000", places=4),
    st.sampled_from(sorted(INSTRUMENTS)),
)
def test_any_bar_comes_out_of_the_aggregator_as_it_went_in(
    prices: list[Decimal], volume: Decimal, symbol: str
) -> None:
    low, first, last, high = sorted(prices)
    source = Bar(symbol, "1Min", 60 * NS_PER_S, last, high, low, first, volume, 1, last)
    events = events_of(source, INSTRUMENTS[symbol], 1)
    aggregator = BarAggregator([MINUTE])
    for event in events:
        if isinstance(event, Trade):
            assert aggregator.on_trade(event) == []
        else:
            assert 0 < event.bid_price < event.ask_price
            assert event.bid_price % INSTRUMENTS[symbol].tick_for(event.bid_price) == 0
            assert event.ask_price % INSTRUMENTS[symbol].tick_for(event.ask_price) == 0
            assert event.bid_size > 0
    (built,) = aggregator.flush()
    for field in ("symbol", "timeframe", "start_ns", "open", "high", "low", "close", "volume"):
        assert getattr(built, field) == getattr(source, field), field


def test_a_bar_without_volume_shows_a_stated_size() -> None:
    quote = events_of(bar(0, volume="0"), INSTRUMENTS["AAPL"], 1)[0]
    assert isinstance(quote, Quote)
    assert (quote.bid_size, quote.ask_size) == (UNKNOWN_QUOTE_SIZE, UNKNOWN_QUOTE_SIZE)


async def test_symbols_are_merged_in_the_order_of_time_and_pages_do_not_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay, "PAGE_BARS", 3)
    store = MemoryBarStore()
    await store.write_bars([bar(minute) for minute in range(7)] + [bar(m, "MSFT") for m in range(3, 9)])
    events = await replayed(store, ["AAPL", "MSFT", "SPY"])
    times = [(event.ts_ns, event.symbol) for event in events if not isinstance(event, Bar)]
    assert times == sorted(times)
    assert len(events) == 8 * 13
    assert events == await replayed(store, ["MSFT", "SPY", "AAPL"])
    ids = [event.trade_id for event in events if isinstance(event, Trade) and event.symbol == "AAPL"]
    assert ids == list(range(1, 29))


async def test_the_pace_is_as_asked_and_gaps_are_shortened() -> None:
    store = MemoryBarStore()
    await store.write_bars([bar(0), bar(1), bar(1_000)])
    started_s = time.monotonic()
    await replayed(store, ["AAPL"], speed=600.0)
    # The first bar and the second, a gap of two, and the third: not quite five minutes.
    assert 0.35 < time.monotonic() - started_s < 0.9


async def test_replay_waits_for_a_store_that_is_away() -> None:
    store = MemoryBarStore()
    await store.write_bars([bar(0)])
    store.is_available = False
    replaying = asyncio.create_task(replayed(store, ["AAPL"]))
    await asyncio.sleep(0.02)
    store.is_available = True
    assert len(await replaying) == 8


async def test_the_simulated_market_follows_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated, "STEP_S", 0.005)
    clock = SystemClock()
    simulation = MarketSimulation(
        default_universe(), seed=1, quotes_per_s=50.0, start_ns=clock.now_ns(), start_prices={}
    )
    events: list[MarketEvent] = []
    async for batch in SimulatedFeed(simulation, clock).stream():
        now_ns = clock.now_ns()
        assert all(event.ts_ns <= now_ns for event in batch if not isinstance(event, Bar))
        events += batch
        if len(events) > 200:
            break
    assert {event.symbol for event in events} == set(INSTRUMENTS)


class JumpingClock:
    """Ten minutes pass between looks two and three."""

    def __init__(self) -> None:
        self.looks = 0

    def now_ns(self) -> int:
        self.looks += 1
        return (self.looks + (600 if self.looks > 2 else 0)) * NS_PER_S


async def test_a_suspended_machine_does_not_flood_the_market() -> None:
    clock = JumpingClock()
    simulation = MarketSimulation(default_universe(), seed=1, quotes_per_s=4.0, start_ns=0, start_prices={})
    stream = SimulatedFeed(simulation, clock).stream()
    first, second = await anext(stream), await anext(stream)
    assert len(second) <= len(first)
    assert min(event.ts_ns for event in second if not isinstance(event, Bar)) >= 600 * NS_PER_S
