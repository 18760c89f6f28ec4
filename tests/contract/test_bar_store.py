"""What every bar store promises, against PostgreSQL and memory."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from tradewind.adapters.memory.bar_store import MemoryBarStore
from tradewind.adapters.postgres.bar_store import IMPORTED, STATEMENT_BARS_MAX, PostgresBarStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.domain.market.ticks import Bar
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.market_data import BarCoverage, BarStore

MINUTE_NS = 60_000_000_000


def bar(symbol: str = "AAPL", minute: int = 0, close: str = "101.5", timeframe: str = "1Min") -> Bar:
    return Bar(
        symbol=symbol,
        timeframe=timeframe,
        start_ns=minute * MINUTE_NS,
        open=Decimal(100),
        high=Decimal("102.0001"),
        low=Decimal(99),
        close=Decimal(close),
        volume=Decimal("0.00000001"),
        trade_count=7,
        vwap=Decimal("100.123456789"),
    )


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[BarStore]:
    if request.param == "memory":
        yield MemoryBarStore()
        return
    engine = create_engine(request.getfixturevalue("database_url"))
    yield PostgresBarStore(engine, IMPORTED)
    await engine.dispose()


async def test_bars_come_back_exactly_as_they_were_written_oldest_first(store: BarStore) -> None:
    bars = [bar(minute=minute) for minute in (3, 1, 2)]
    await store.write_bars(bars)
    assert await store.read_bars("AAPL", "1Min", 0, 10 * MINUTE_NS, 100) == sorted(
        bars, key=lambda b: b.start_ns
    )


async def test_a_bar_written_again_replaces_the_old_one(store: BarStore) -> None:
    await store.write_bars([bar(close="101")])
    await store.write_bars([bar(close="100.5"), bar(close="100.75")])
    assert await store.read_bars("AAPL", "1Min", 0, MINUTE_NS, 10) == [bar(close="100.75")]


async def test_reading_includes_the_start_excludes_the_end_and_keeps_to_the_limit(store: BarStore) -> None:
    await store.write_bars([bar(minute=minute) for minute in range(5)])
    kept = await store.read_bars("AAPL", "1Min", MINUTE_NS, 4 * MINUTE_NS, 2)
    assert [b.start_ns // MINUTE_NS for b in kept] == [1, 2]
    kept = await store.read_bars("AAPL", "1Min", MINUTE_NS, 4 * MINUTE_NS, 9)
    assert [b.start_ns // MINUTE_NS for b in kept] == [1, 2, 3]


async def test_symbols_and_timeframes_are_kept_apart(store: BarStore) -> None:
    await store.write_bars([bar(), bar("BTC/USD", 5), bar(minute=9, timeframe="1Day")])
    assert await store.read_bars("AAPL", "1Min", 0, 100 * MINUTE_NS, 10) == [bar()]
    assert await store.read_bars("MSFT", "1Min", 0, 100 * MINUTE_NS, 10) == []
    assert await store.latest_bars("1Min") == {"AAPL": bar(), "BTC/USD": bar("BTC/USD", 5)}


async def test_the_latest_bar_is_the_one_that_starts_last(store: BarStore) -> None:
    assert await store.latest_bars("1Min") == {}
    await store.write_bars([bar(minute=4, close="101"), bar(minute=2, close="100"), bar("MSFT", 1)])
    assert await store.latest_bars("1Min") == {"AAPL": bar(minute=4, close="101"), "MSFT": bar("MSFT", 1)}


async def test_the_last_bars_before_a_moment_are_those_that_start_before_it(store: BarStore) -> None:
    await store.write_bars([bar(minute=minute, close=f"{100 + minute}") for minute in (2, 5, 9)])
    await store.write_bars([bar("MSFT", 6), bar("MSFT", 3, timeframe="1Day"), bar("TSLA", 5)])
    wanted = ["AAPL", "MSFT", "NONE"]
    assert await store.last_bars(wanted, "1Min", 6 * MINUTE_NS) == {"AAPL": bar(minute=5, close="105")}
    assert await store.last_bars(wanted, "1Min", 6 * MINUTE_NS + 1) == {
        "AAPL": bar(minute=5, close="105"),
        "MSFT": bar("MSFT", 6),
    }
    assert await store.last_bars(wanted, "1Min", 2 * MINUTE_NS) == {}
    assert await store.last_bars([], "1Min", 9 * MINUTE_NS) == {}


async def test_coverage_tells_how_much_is_stored_and_from_when_to_when(store: BarStore) -> None:
    await store.write_bars([bar(minute=2), bar(minute=8), bar("MSFT", 1, timeframe="1Day")])
    assert list(await store.coverage()) == [
        BarCoverage(
            symbol="AAPL",
            timeframe="1Min",
            count=2,
            first_start_ns=2 * MINUTE_NS,
            last_start_ns=8 * MINUTE_NS,
        ),
        BarCoverage(
            symbol="MSFT", timeframe="1Day", count=1, first_start_ns=MINUTE_NS, last_start_ns=MINUTE_NS
        ),
    ]


async def test_thousands_of_bars_in_one_call(store: BarStore) -> None:
    count = STATEMENT_BARS_MAX + 500
    await store.write_bars([bar(minute=minute) for minute in range(count)])
    assert len(await store.read_bars("AAPL", "1Min", 0, count * MINUTE_NS, count + 1)) == count
    await store.write_bars([])
    assert (await store.coverage())[0].count == count


async def test_an_unreachable_store_says_so() -> None:
    memory = MemoryBarStore()
    memory.is_available = False
    engine = create_engine("postgresql://nobody:none@127.0.0.1:1/none")
    for broken in (memory, PostgresBarStore(engine, IMPORTED)):
        with pytest.raises(StoreUnavailable):
            await broken.write_bars([bar()])
        with pytest.raises(StoreUnavailable):
            await broken.latest_bars("1Min")
    await engine.dispose()
