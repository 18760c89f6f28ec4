"""Several order services on the same shards: killed, stopped, added; no command is lost or done twice."""

import asyncio
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import httpx
import msgspec
import pytest

from tests.e2e.order_clients import trade_until
from tests.e2e.platform import (
    HOST,
    ORDER_SERVICE,
    POLL_INTERVAL_S,
    LivePlatform,
    is_ready,
    service_process,
)
from tests.e2e.traders import open_accounts
from tests.e2e.verdict import find_violations
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.postgres.shard_journal import SESSION_TIMEOUT_S, SHARD_LOCKS
from tradewind.ports.messages import SHARD_COUNT

pytestmark = pytest.mark.e2e

CLIENTS = 10
STOPPED_S = 8.0
"""Longer than PostgreSQL bears with a silent session, shorter than the supervisor does with a silent process."""
SHARE_TIMEOUT_S = 25.0
LOAD_S = 1.0
ORDERS_MIN = 200


@contextmanager
def another_order_service(platform: LivePlatform, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """One more order service, ready; killed at the end unless it ended."""
    port = free_loopback_port()
    settings = msgspec.structs.replace(platform.settings, order_port=port)
    log = platform.log.with_name(f"{name}.log")
    process = service_process(ORDER_SERVICE, settings, log)
    try:
        deadline_s = time.monotonic() + SHARE_TIMEOUT_S
        with httpx.Client(trust_env=False, timeout=5) as client:
            while not is_ready(client, f"http://{HOST}:{port}"):
                assert process.poll() is None, f"{name} ended with status {process.returncode}"
                assert time.monotonic() < deadline_s, f"{name} is not ready"
                time.sleep(POLL_INTERVAL_S)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        print(f"-- {name}", log.read_text(errors="replace"), sep="\n")


async def until_shared_out(platform: LivePlatform, replicas: int) -> list[int]:
    """Wait until every shard is owned and each replica owns its share; how many each owns, as PostgreSQL sees it."""
    owned: list[int] = []
    connection = await asyncpg.connect(platform.settings.database_url)
    try:
        deadline_s = time.monotonic() + SHARE_TIMEOUT_S
        while not (len(owned) == replicas and sum(owned) == SHARD_COUNT and max(owned) - min(owned) <= 2):
            late = f"{replicas} order services own {owned} shards:\n{platform.log_tail()}"
            assert time.monotonic() < deadline_s, late
            await asyncio.sleep(POLL_INTERVAL_S)
            rows = await connection.fetch(
                """SELECT pid, count(*) AS shards FROM pg_locks
                   WHERE locktype = 'advisory' AND classid = $1 AND granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   GROUP BY pid""",
                SHARD_LOCKS,
            )
            owned = sorted(row["shards"] for row in rows)
    finally:
        await connection.close()
    return owned


async def test_no_command_is_lost_or_doubled_while_order_services_come_and_go(
    platform_to_wound: LivePlatform,
) -> None:
    seed = random.SystemRandom().randrange(1, 1_000_000)
    print(f"seed {seed}")
    platform = platform_to_wound
    traders = await open_accounts(platform.settings, CLIENTS)
    stop = asyncio.Event()
    trading = asyncio.create_task(trade_until(stop, platform.url(), traders, seed))
    try:
        await come_and_go(platform)
        await asyncio.to_thread(platform.wait_until_ready)
    finally:
        stop.set()
        promises = await trading
    print(f"{len(promises.orders)} orders acknowledged, requests {dict(promises.attempts)}")
    assert await find_violations(platform, traders, promises) == [], platform.log_tail()
    assert len(promises.orders) >= ORDERS_MIN


async def come_and_go(platform: LivePlatform) -> None:
    """Add one, kill one, stop one, add a third, let it leave; the load goes on all the time."""
    with another_order_service(platform, "second") as second:
        assert await until_shared_out(platform, 2) == [8, 8]
        await asyncio.sleep(LOAD_S)

        platform.send(ORDER_SERVICE, signal.SIGKILL)
        assert await until_shared_out(platform, 1) == [SHARD_COUNT]
        assert await until_shared_out(platform, 2) == [8, 8]  # the supervisor has started it again
        await asyncio.sleep(LOAD_S)

        second.send_signal(signal.SIGSTOP)
        assert await until_shared_out(platform, 1) == [SHARD_COUNT]
        await asyncio.sleep(STOPPED_S - SESSION_TIMEOUT_S)
        second.send_signal(signal.SIGCONT)
        # It has lost its session, must not write, and begins anew without ending.
        assert await until_shared_out(platform, 2) == [8, 8]
        assert second.poll() is None
        await asyncio.sleep(LOAD_S)

        with another_order_service(platform, "third") as third:
            assert sum(await until_shared_out(platform, 3)) == SHARD_COUNT
            await asyncio.sleep(LOAD_S)
            third.terminate()
            assert await asyncio.to_thread(third.wait, 10) == 0
        assert await until_shared_out(platform, 2) == [8, 8]

        second.kill()
        second.wait()
        assert await until_shared_out(platform, 1) == [SHARD_COUNT]
