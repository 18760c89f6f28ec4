"""What only InfluxDB does: passwords, databases that come and go, retention, errors inside answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import httpx
import msgspec
import pytest

from tests import influx_server
from tests.influx_server import InfluxServer
from tradewind.adapters.influxdb.bar_rows import BARS
from tradewind.adapters.influxdb.bar_store import InfluxBarStore
from tradewind.adapters.influxdb.client import InfluxAddress, InfluxClient
from tradewind.adapters.influxdb.errors import InfluxRefusal
from tradewind.domain.market.ticks import Bar
from tradewind.operations.metrics import REGISTRY
from tradewind.ports.errors import StoreUnavailable

DAY_NS = 86_400 * 1_000_000_000
FOR_EVER_NS = 1 << 62


def bar(start_ns: int) -> Bar:
    price = Decimal("10.5")
    return Bar("AAPL", "1Min", start_ns, price, price, price, price, price, 1, price)


def days_ago(days: int) -> int:
    return time.time_ns() - days * DAY_NS


async def starts(store: InfluxBarStore) -> list[int]:
    return [b.start_ns for b in await store.read_bars("AAPL", "1Min", 0, FOR_EVER_NS, 100)]


@pytest.fixture
def server() -> Iterator[InfluxServer]:
    """Ours alone, with a password."""
    if not influx_server.installed():
        pytest.skip(influx_server.WHY_SKIPPED)
    with influx_server.running_influx(password="sesame") as server:
        yield server


@pytest.fixture
async def client(influx_address: InfluxAddress) -> AsyncIterator[InfluxClient]:
    async with InfluxClient(influx_address) as client:
        yield client


async def test_the_right_password_opens_it_and_a_wrong_one_is_told_apart(server: InfluxServer) -> None:
    address = influx_server.address_of(server)
    async with InfluxClient(address) as client:
        store = InfluxBarStore(client, "imported", 0)
        await store.probe()
        await store.write_bars([bar(0)])
        assert await starts(store) == [0]
    async with InfluxClient(msgspec.structs.replace(address, token="wrong-one")) as client:
        store = InfluxBarStore(client, "imported", 0)
        for attempt in (store.probe(), store.write_bars([bar(0)]), store.coverage()):
            with pytest.raises(StoreUnavailable, match="authorization failed") as told:
                await attempt
            assert "wrong-one" not in str(told.value)


async def test_a_user_who_may_only_read_and_write_is_enough_where_the_database_is_there(
    server: InfluxServer,
) -> None:
    address = influx_server.address_of(server)
    statements = (
        f'CREATE DATABASE "{address.database}"',
        "CREATE USER clerk WITH PASSWORD 'pen'",
        f'GRANT ALL ON "{address.database}" TO clerk',
    )
    async with httpx.AsyncClient(auth=(address.username, address.token)) as http:
        for statement in statements:
            (await http.post(f"{server.url}/query", data={"q": statement})).raise_for_status()
    async with InfluxClient(msgspec.structs.replace(address, username="clerk", token="pen")) as client:
        store = InfluxBarStore(client, "imported", 30)
        now_ns = days_ago(0)
        await store.write_bars([bar(now_ns)])
        assert await starts(store) == [now_ns]


async def test_reading_from_a_database_that_is_not_there_finds_nothing(client: InfluxClient) -> None:
    store = InfluxBarStore(client, "imported", 0)
    await store.probe()
    assert await store.coverage() == []
    assert await store.latest_bars("1Min") == {}
    assert await starts(store) == []


async def test_a_database_that_was_dropped_is_made_again_by_the_next_write(client: InfluxClient) -> None:
    store = InfluxBarStore(client, "imported", 0)
    await store.write_bars([bar(0)])
    address = client.address
    drop = f'DROP DATABASE "{address.database}"'
    async with httpx.AsyncClient(auth=(address.username, address.token)) as http:
        (await http.post(f"{address.url}/query", data={"q": drop})).raise_for_status()
    await store.write_bars([bar(60)])
    assert await starts(store) == [60]


async def test_a_new_database_keeps_bars_as_long_as_it_is_told(client: InfluxClient) -> None:
    before = REGISTRY.get_sample_value("tradewind_bars_beyond_retention_total") or 0
    store = InfluxBarStore(client, "imported", 10)
    new = days_ago(1)
    await store.write_bars([bar(new), bar(days_ago(11)), bar(days_ago(12))])
    assert await starts(store) == [new]
    assert REGISTRY.get_sample_value("tradewind_bars_beyond_retention_total") == before + 2


async def test_a_retention_that_is_set_later_deletes_what_is_older(server: InfluxServer) -> None:
    long_ago, new, later = days_ago(400), days_ago(1), days_ago(0)
    async with InfluxClient(influx_server.address_of(server)) as client:
        for_ever = InfluxBarStore(client, "imported", 0)
        await for_ever.write_bars([bar(new), bar(long_ago)])
        assert await starts(for_ever) == [long_ago, new]
        store = InfluxBarStore(client, "imported", 10)
        await store.write_bars([bar(later)])
        async with asyncio.timeout(10):
            while await starts(store) != [new, later]:  # noqa: ASYNC110 - the server looks once a second
                await asyncio.sleep(0.1)
        # A process that is told no retention leaves it as it is.
        await InfluxBarStore(client, "imported", 0).write_bars([bar(long_ago)])
        assert await starts(store) == [new, later]


async def test_an_error_inside_an_answer_is_no_empty_answer(client: InfluxClient) -> None:
    await InfluxBarStore(client, "imported", 0).write_bars([bar(0)])
    with pytest.raises(InfluxRefusal, match="undefined function"):
        await client.query('SELECT nonsense("close") FROM "bars"', BARS)


async def test_points_of_somebody_else_are_told_not_guessed(client: InfluxClient) -> None:
    store = InfluxBarStore(client, "imported", 0)
    await store.write_bars([bar(0)])
    await client.write(b"bars,source=imported,symbol=AAPL,timeframe=1Min open=1 60")
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        await starts(store)


async def test_bars_that_the_server_will_not_take_are_refused_with_its_words(client: InfluxClient) -> None:
    store = InfluxBarStore(client, "imported", 0)
    await store.write_bars([bar(0)])
    with pytest.raises(InfluxRefusal, match="field type conflict"):
        await client.write(b'bars,source=imported,symbol=AAPL,timeframe=1Min open="text" 60')


async def test_many_at_once_wait_for_a_connection(client: InfluxClient) -> None:
    store = InfluxBarStore(client, "imported", 0)
    await store.write_bars([bar(0)])
    found = await asyncio.gather(*(starts(store) for _ in range(50)))
    assert found == [[0]] * 50
