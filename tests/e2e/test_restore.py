"""A platform that is backed up while it trades, and restored to a moment, with a Redis that lives in a later time."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest

from tests.backups import Vault, archived_postgres, restored_postgres, url_of
from tests.e2e.order_clients import Promises, trade_until
from tests.e2e.platform import LivePlatform, clean_environment
from tests.e2e.traders import Trader, open_accounts
from tests.e2e.verdict import find_violations
from tests.servers import RedisAddress, RunningServer, embedded_redis, server_folder

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("flock") is None,
        reason="the scripts run in a Linux container",
    ),
]

CLIENTS = 6
SEED = 20_261
LOAD_S = 1.0
ORDERS_MIN = 100
NEW_ORDERS = """
    SELECT payload->'order'->>'order_id' FROM journal WHERE event_type IN ('OrderSubmitted', 'OrderReplaceRequested')
"""
COMMAND_TIMEOUT_S = 60


@dataclass(frozen=True)
class Original:
    """The platform's data after it has gone: what it promised, and what was committed when."""

    postgres: RunningServer
    vault: Vault
    redis: RedisAddress
    traders: list[Trader]
    promises: Promises
    moment: str
    """While orders were flowing, after the backup."""
    until_moment: set[str]
    """The orders that were committed until then."""


async def value(url: str, query: str, *arguments: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


async def column(url: str, query: str, *arguments: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        return {str(row[0]) for row in await connection.fetch(query, *arguments)}
    finally:
        await connection.close()


def run(settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A `tradewind` command of somebody who set these variables."""
    return subprocess.run(
        [sys.executable, "-m", "tradewind.cli.main", *arguments],
        env=clean_environment() | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_S,
    )


async def trade_and_back_up(platform: LivePlatform, postgres: RunningServer, vault: Vault) -> Original:
    """Trade all the while; in the middle of it a full backup, and later the moment."""
    traders = await open_accounts(platform.settings, CLIENTS)
    stop = asyncio.Event()
    trading = asyncio.create_task(trade_until(stop, platform.url(), traders, SEED))
    url = url_of(postgres)
    try:
        await asyncio.sleep(LOAD_S)
        await asyncio.to_thread(vault.backup, postgres, "full")
        await asyncio.sleep(LOAD_S)
        moment = str(await value(url, "SELECT clock_timestamp()::text"))
        await asyncio.sleep(LOAD_S)
    finally:
        stop.set()
        promises = await trading
    until_moment = await column(
        url, NEW_ORDERS + "AND pg_xact_commit_timestamp(xmin) <= $1::text::timestamptz", moment
    )
    await asyncio.to_thread(vault.backup, postgres, "mark", "end")
    redis = platform.settings
    address = RedisAddress(redis.redis_host, redis.redis_port, redis.redis_password)
    return Original(postgres, vault, address, traders, promises, moment, until_moment)


@pytest.fixture(scope="module")
def original() -> Iterator[Original]:
    """Traded, backed up, and gone; its Redis lives on."""
    with server_folder() as folder, embedded_redis() as redis:
        vault = Vault(folder)
        with archived_postgres(folder / "original", vault) as postgres:
            with platform_on(folder / "first", url_of(postgres), redis) as platform:
                found = asyncio.run(trade_and_back_up(platform, postgres, vault))
            yield found


@contextmanager
def platform_on(folder: Path, database_url: str, redis: RedisAddress) -> Iterator[LivePlatform]:
    folder.mkdir()
    platform = LivePlatform(
        folder / "data", folder / "up.log", {"DATABASE_URL": database_url} | redis.settings
    )
    try:
        platform.start()
        yield platform
    finally:
        platform.stop()


def test_the_last_backup_and_the_archive_hold_everything_that_was_acknowledged(original: Original) -> None:
    with (
        server_folder() as folder,
        restored_postgres(folder, original.vault, original.postgres, "--rehearsal") as restored,
    ):
        there = asyncio.run(column(url_of(restored), NEW_ORDERS))
        assert {order.order_id for order in original.promises.orders} <= there
        assert len(original.promises.orders) >= ORDERS_MIN
        verified = run({"DATABASE_URL": url_of(restored)}, "journal", "verify")
        assert verified.returncode == 0, verified.stdout
        assert "the journal and the stored state agree" in verified.stdout


def test_a_restored_platform_has_exactly_the_orders_until_the_moment_and_trades_on(
    original: Original,
) -> None:
    """Redis still has commands and events from after the moment: none of them may come back."""
    moment = ("--to", original.moment, "--rehearsal")
    with (
        server_folder() as folder,
        restored_postgres(folder, original.vault, original.postgres, *moment) as restored,
    ):
        settings = {"DATABASE_URL": url_of(restored)} | original.redis.settings
        assert asyncio.run(column(url_of(restored), NEW_ORDERS)) == original.until_moment
        acknowledged = {order.order_id for order in original.promises.orders}
        assert acknowledged & original.until_moment
        assert acknowledged - original.until_moment, "the moment is the end: that proves nothing"

        refused = run(settings, "service", "order-service")
        assert refused.returncode == 2
        assert "run `tradewind db restored` before any service starts" in refused.stderr
        accepted = run(settings, "db", "restored")
        assert accepted.returncode == 0, accepted.stderr

        with platform_on(folder / "again", url_of(restored), original.redis) as platform:
            asyncio.run(trade_on(platform, original))
            # The strategy of `tradewind up` trades too: but nothing of the time that is gone.
            after = asyncio.run(column(url_of(restored), NEW_ORDERS))
            assert not after & (acknowledged - original.until_moment)


async def trade_on(platform: LivePlatform, original: Original) -> None:
    """The same accounts, whose old orders are there; what was promised before the moment and now is kept."""
    stop = asyncio.Event()
    trading = asyncio.create_task(trade_until(stop, platform.url(), original.traders, SEED + 1))
    await asyncio.sleep(LOAD_S)
    stop.set()
    now = await trading
    assert len(now.orders) >= ORDERS_MIN
    kept = [order for order in original.promises.orders if order.order_id in original.until_moment]
    promises = replace(now, orders=[*kept, *now.orders])
    assert await find_violations(platform, original.traders, promises) == [], platform.log_tail()
