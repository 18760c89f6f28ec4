"""A new version with a migration takes over replica by replica, while clients trade."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.e2e.balancer import balanced
from tests.e2e.fleet import (
    NEXT_REVISION,
    NEXT_VERSION,
    Fleet,
    make_next_version,
    replace_one_by_one,
    running_fleet,
)
from tests.e2e.order_clients import Promises, trade_until
from tests.e2e.platform import HOST, ORDER_SERVICE
from tests.e2e.traders import open_accounts
from tests.e2e.verdict import find_violations
from tests.servers import RedisAddress, server_folder
from tradewind.settings import Settings

pytestmark = pytest.mark.e2e

CLIENTS = 8
GATEWAY = "api-gateway"
SERVICES = [ORDER_SERVICE, ORDER_SERVICE, "strategy-service", GATEWAY, GATEWAY]
LOAD_S = 0.5
LONGEST_WAIT_S = 8.0
"""From a request's first attempt to its definite answer, repeats with the same client_order_id included."""
ORDERS_MIN = 200


@pytest.fixture
def folder() -> Iterator[Path]:
    with server_folder() as path:
        yield path


@pytest.fixture
def settings(database_url: str, redis_flushed: RedisAddress, folder: Path) -> Settings:
    return Settings(
        database_url=database_url,
        redis_host=redis_flushed.host,
        redis_port=redis_flushed.port,
        redis_password=redis_flushed.password,
        jwt_secret_key="0123456789abcdef0123456789abcdef",
        data_dir=folder / "data",
        strategy="none",
    )


async def test_a_new_version_with_a_migration_takes_over_under_load(settings: Settings, folder: Path) -> None:
    seed = random.SystemRandom().randrange(1, 1_000_000)
    print(f"seed {seed}")
    next_version = make_next_version(folder / "next")
    prepared = await asyncio.to_thread(Fleet(settings, []).command, "db", "upgrade")
    assert prepared.returncode == 0, prepared.stderr
    with running_fleet(settings, SERVICES, folder) as fleet:
        traders = await open_accounts(settings, CLIENTS)
        stop = asyncio.Event()
        async with balanced([replica.port for replica in fleet.of(GATEWAY)]) as port:
            trading = asyncio.create_task(trade_until(stop, f"http://{HOST}:{port}", traders, seed))
            try:
                await upgrade(fleet, next_version)
            finally:
                stop.set()
                promises = await trading
        print(
            f"{len(promises.orders)} orders, longest wait {promises.longest_wait_s:.2f} s, {promises.attempts}"
        )
        assert [replica.version() for replica in fleet.replicas] == [NEXT_VERSION] * len(SERVICES)
        assert await find_violations(fleet, traders, promises) == [], fleet.logs()
        judge_waits(promises)
        assert await desks(settings.database_url) == {"main"}


async def upgrade(fleet: Fleet, next_version: Path) -> None:
    """As docs/operations/upgrade.md tells it, with a crash in between."""
    await asyncio.sleep(LOAD_S)
    migrated = await asyncio.to_thread(fleet.command, "db", "upgrade", code=next_version)
    assert migrated.returncode == 0, migrated.stderr
    status = await asyncio.to_thread(fleet.command, "db", "status")
    assert status.returncode == 0, status.stdout
    assert f"schema of the database: {NEXT_REVISION}, made by Tradewind {NEXT_VERSION}" in status.stdout
    # A replica of the old version that crashes now comes back, on a schema that is newer than it.
    crashed = fleet.of(ORDER_SERVICE)[1]
    crashed.kill()
    await asyncio.to_thread(crashed.start)
    await asyncio.sleep(LOAD_S)
    await replace_one_by_one(fleet, next_version, LOAD_S)


def judge_waits(promises: Promises) -> None:
    assert len(promises.orders) >= ORDERS_MIN
    assert promises.longest_wait_s <= LONGEST_WAIT_S, promises.attempts


async def desks(database_url: str) -> set[str]:
    """What the migration's column holds: orders of both versions have it."""
    connection = await asyncpg.connect(database_url)
    try:
        return {row["desk"] for row in await connection.fetch("SELECT DISTINCT desk FROM orders")}
    finally:
        await connection.close()
