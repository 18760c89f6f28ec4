"""Which store holds the bars: InfluxDB when `INFLUXDB_URL` is set, else PostgreSQL; and where bars wait for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.files.bar_backlog import FileBarBacklog
from tradewind.adapters.influxdb.bar_store import InfluxBarStore
from tradewind.adapters.influxdb.client import InfluxAddress, InfluxClient
from tradewind.adapters.postgres.bar_store import PostgresBarStore
from tradewind.operations.watch import Watch
from tradewind.ports.market_data import BarStore
from tradewind.settings import Settings

MEGABYTE = 1_000_000
INFLUXDB_CHECK = "influxdb"


@asynccontextmanager
async def opened_bar_store(settings: Settings, engine: AsyncEngine, source: str) -> AsyncIterator[BarStore]:
    """The bars of one source; nothing is connected before it is used."""
    if not settings.influxdb_url:
        yield PostgresBarStore(engine, source)
        return
    async with InfluxClient(_influx_address(settings)) as client:
        yield InfluxBarStore(client, source, settings.influxdb_retention_days)


def watch_bar_store(watch: Watch, store: BarStore) -> Watch:
    """Report on InfluxDB as `tradewind_check_up{check="influxdb"}`. Readiness does not ask it: trading goes on without."""
    return watch.measure(INFLUXDB_CHECK, store.probe) if isinstance(store, InfluxBarStore) else watch


def bar_backlog(settings: Settings) -> FileBarBacklog:
    """Where bars wait for their store; shared by the replicas that share the folder, one after another."""
    folder = Path(settings.bar_spool_dir) if settings.bar_spool_dir else settings.data_dir / "bar-spool"
    return FileBarBacklog(folder, settings.bar_spool_mb * MEGABYTE)


def _influx_address(settings: Settings) -> InfluxAddress:
    return InfluxAddress(
        url=settings.influxdb_url,
        database=settings.influxdb_bucket,
        organisation=settings.influxdb_org,
        username=settings.influxdb_username,
        token=settings.influxdb_token,
    )
