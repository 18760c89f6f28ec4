"""The settings decide where bars lie, and where they wait."""

import asyncio
from decimal import Decimal
from pathlib import Path

from tradewind.adapters.influxdb.bar_store import InfluxBarStore
from tradewind.adapters.postgres.bar_store import IMPORTED, PostgresBarStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.domain.market.ticks import Bar
from tradewind.entrypoints.bar_stores import INFLUXDB_CHECK, bar_backlog, opened_bar_store, watch_bar_store
from tradewind.operations.metrics import REGISTRY
from tradewind.operations.probes import Probes
from tradewind.operations.watch import Watch
from tradewind.settings import Settings

ONE = Decimal(1)
BAR = Bar("AAPL", "1Min", 0, ONE, ONE, ONE, ONE, ONE, 1, ONE)
IN_INFLUXDB = Settings(influxdb_url="http://127.0.0.1:1")


def up() -> float | None:
    return REGISTRY.get_sample_value("tradewind_check_up", {"check": INFLUXDB_CHECK})


async def test_bars_lie_in_postgresql_unless_influxdb_is_named() -> None:
    engine = create_engine("postgresql://nobody:none@127.0.0.1:1/none")
    async with opened_bar_store(Settings(), engine, IMPORTED) as store:
        assert isinstance(store, PostgresBarStore)
    async with opened_bar_store(IN_INFLUXDB, engine, IMPORTED) as store:
        assert isinstance(store, InfluxBarStore)
    await engine.dispose()


async def test_an_influxdb_that_is_away_is_reported_and_the_service_stays_ready(tmp_path: Path) -> None:
    engine = create_engine("postgresql://nobody:none@127.0.0.1:1/none")
    probes = Probes("strategy-service", "0")
    async with opened_bar_store(IN_INFLUXDB, engine, IMPORTED) as store:
        async with watch_bar_store(Watch(probes, tmp_path), store):
            async with asyncio.timeout(5):
                while up() != 0:  # noqa: ASYNC110 - the watch tells the metric alone
                    await asyncio.sleep(0.01)
        assert await probes.readiness() == {}
    await engine.dispose()


def test_bars_wait_in_the_data_folder_or_where_the_settings_say(tmp_path: Path) -> None:
    for settings, folder in (
        (Settings(data_dir=tmp_path), tmp_path / "bar-spool"),
        (Settings(data_dir=tmp_path, bar_spool_dir=str(tmp_path / "volume")), tmp_path / "volume"),
    ):
        backlog = bar_backlog(settings)
        backlog.append([BAR])
        backlog.close()
        assert len(list(folder.iterdir())) == 1
