"""What every bar store promises, against memory, PostgreSQL and InfluxDB."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from tests import influx_server, servers
from tradewind.adapters.embedded.postgres import EmbeddedPostgres
from tradewind.adapters.files.bar_backlog import FileBarBacklog
from tradewind.adapters.influxdb.bar_store import InfluxBarStore
from tradewind.adapters.influxdb.client import InfluxAddress, InfluxClient
from tradewind.adapters.memory.bar_store import MemoryBarStore
from tradewind.adapters.postgres import migrate
from tradewind.adapters.postgres.bar_store import IMPORTED, STATEMENT_BARS_MAX, PostgresBarStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.domain.market.ticks import Bar
from tradewind.domain.market.timeframe import Timeframe
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.market_data import BarCoverage, BarStore
from tradewind.services.bars.downsampling import Downsampling, downsample
from tradewind.services.strategies.bar_spool import BarSpool

MINUTE_NS = 60_000_000_000
NOWHERE = InfluxAddress(
    url="http://127.0.0.1:1", database="none", organisation="none", username="nobody", token="none"
)


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


class Outage(NamedTuple):
    """A store, and how it goes away and comes back."""

    store: BarStore
    begin: Callable[[], None]
    end: Callable[[], None]


@pytest.fixture(params=["memory", "postgres", "influxdb"])
async def outage(request: pytest.FixtureRequest) -> AsyncIterator[Outage]:
    """Each server is killed and started again with its data."""
    match request.param:
        case "memory":
            memory = MemoryBarStore()
            switch = partial(setattr, memory, "is_available")
            yield Outage(memory, partial(switch, False), partial(switch, True))
        case "postgres":
            with servers.server_folder() as folder, servers.running_postgres(folder) as postgres:
                assert isinstance(postgres.server, EmbeddedPostgres)
                url = postgres.server.database_url
                await asyncio.to_thread(migrate.upgrade, url)
                engine = create_engine(url)
                yield Outage(PostgresBarStore(engine, IMPORTED), postgres.kill, postgres.restart)
                await engine.dispose()
        case _:
            if not influx_server.installed():
                pytest.skip(influx_server.WHY_SKIPPED)
            with influx_server.running_influx() as influx:
                async with InfluxClient(influx_server.address_of(influx)) as client:
                    yield Outage(InfluxBarStore(client, IMPORTED, 0), influx.kill, influx.restart)


@pytest.fixture(params=["memory", "postgres", "influxdb"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[BarStore]:
    match request.param:
        case "memory":
            yield MemoryBarStore()
        case "postgres":
            engine = create_engine(request.getfixturevalue("database_url"))
            yield PostgresBarStore(engine, IMPORTED)
            await engine.dispose()
        case _:
            async with InfluxClient(request.getfixturevalue("influx_address")) as client:
                yield InfluxBarStore(client, IMPORTED, 0)


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
    async with InfluxClient(NOWHERE) as client:
        for broken in (memory, PostgresBarStore(engine, IMPORTED), InfluxBarStore(client, IMPORTED, 0)):
            with pytest.raises(StoreUnavailable):
                await broken.write_bars([bar()])
            with pytest.raises(StoreUnavailable):
                await broken.latest_bars("1Min")
    await engine.dispose()


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "1E-12",
        "123456789012345",
        "0.123456789012345",
        "1234567890123456.7",
        "99999999999.123456789",
        "1E+20",
    ],
)
async def test_every_number_comes_back_exactly_also_one_that_no_float_can_hold(
    store: BarStore, number: str
) -> None:
    exact = msgspec.structs.replace(bar(close=number), volume=Decimal(number))
    await store.write_bars([exact])
    assert await store.read_bars("AAPL", "1Min", 0, MINUTE_NS, 10) == [exact]
    # Also after a number that needed more digits than this one, or fewer.
    await store.write_bars([bar(close="0.3333333333333333333333")])
    await store.write_bars([exact])
    assert await store.latest_bars("1Min") == {"AAPL": exact}


async def test_a_gap_stays_a_gap(store: BarStore) -> None:
    weekend = 3_000
    await store.write_bars([bar(minute=minute) for minute in (0, 1, weekend, weekend + 1)])
    found = await store.read_bars("AAPL", "1Min", 0, 10_000 * MINUTE_NS, 100)
    assert [b.start_ns // MINUTE_NS for b in found] == [0, 1, weekend, weekend + 1]
    assert await store.read_bars("AAPL", "1Min", 2 * MINUTE_NS, weekend * MINUTE_NS, 100) == []
    assert (await store.last_bars(["AAPL"], "1Min", weekend * MINUTE_NS))["AAPL"] == bar(minute=1)


async def test_retention_deletes_what_is_older_of_one_timeframe(store: BarStore) -> None:
    await store.delete_bars_before("1Min", MINUTE_NS)  # nothing is there yet
    await store.write_bars([bar(minute=minute) for minute in range(6)])
    await store.write_bars([bar("MSFT", 1), bar("TSLA", 5), bar(minute=0, timeframe="1Day")])
    await store.delete_bars_before("1Min", 4 * MINUTE_NS)
    kept = await store.read_bars("AAPL", "1Min", 0, 100 * MINUTE_NS, 100)
    assert [b.start_ns // MINUTE_NS for b in kept] == [4, 5]
    assert [(row.symbol, row.timeframe, row.count) for row in await store.coverage()] == [
        ("AAPL", "1Day", 1),
        ("AAPL", "1Min", 2),
        ("TSLA", "1Min", 1),
    ]


async def test_longer_bars_are_made_of_the_stored_ones_and_stored(store: BarStore) -> None:
    minutes = [bar(minute=minute, close=f"{100 + minute}") for minute in range(23) if minute != 7]
    await store.write_bars(minutes)
    wanted = Downsampling(symbol="AAPL", timeframe=Timeframe.parse("1Min"), into=Timeframe.parse("5Min"))
    assert await downsample(store, wanted, 0, 23 * MINUTE_NS) == 4  # the fifth is not over
    found = await store.read_bars("AAPL", "5Min", 0, 100 * MINUTE_NS, 100)
    assert [(b.start_ns // MINUTE_NS, b.close, b.trade_count) for b in found] == [
        (0, Decimal(104), 35),
        (5, Decimal(109), 28),
        (10, Decimal(114), 35),
        (15, Decimal(119), 35),
    ]
    assert found[1].volume == 4 * Decimal("0.00000001")
    assert await downsample(store, wanted, 0, 23 * MINUTE_NS) == 4
    assert await store.read_bars("AAPL", "5Min", 0, 100 * MINUTE_NS, 100) == found


async def test_a_name_that_looks_like_a_query_is_only_a_name(store: BarStore) -> None:
    names = ["A'B", 'A"B', "A B,C=D", "A' OR ''='", "Ä/€"]
    await store.write_bars([bar(name, minute) for minute, name in enumerate(names)])
    await store.write_bars([bar("AAPL", 9)])
    for minute, name in enumerate(names):
        assert await store.read_bars(name, "1Min", 0, 100 * MINUTE_NS, 100) == [bar(name, minute)]
    assert set(await store.last_bars(names, "1Min", 100 * MINUTE_NS)) == set(names)
    assert {row.symbol for row in await store.coverage()} == {*names, "AAPL"}


async def test_bars_of_an_outage_are_filled_in_oldest_first_when_the_store_is_back(
    outage: Outage, tmp_path: Path
) -> None:
    store = outage.store
    await store.write_bars([bar(minute=0)])
    spool = BarSpool(store, FileBarBacklog(tmp_path, 1_000_000))
    outage.begin()
    storing = asyncio.create_task(spool.run())
    for minute in range(1, 30):
        spool.add([bar(minute=minute)])
    await asyncio.sleep(0.3)
    assert len(spool) == 29
    storing.cancel()
    await asyncio.gather(storing, return_exceptions=True)
    spool.close()  # the service stops meanwhile, and starts again
    spool = BarSpool(store, FileBarBacklog(tmp_path, 1_000_000))
    storing = asyncio.create_task(spool.run())
    spool.add([bar(minute=30)])
    outage.end()
    async with asyncio.timeout(20):
        while len(spool):  # noqa: ASYNC110 - the spool tells nobody when it is empty
            await asyncio.sleep(0.02)
    storing.cancel()
    await asyncio.gather(storing, return_exceptions=True)
    found = await store.read_bars("AAPL", "1Min", 0, 100 * MINUTE_NS, 100)
    assert found == [bar(minute=minute) for minute in range(31)]
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing else is going on
