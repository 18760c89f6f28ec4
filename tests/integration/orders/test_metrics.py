"""What operators see of the order service, measured on a real PostgreSQL and Redis."""

import asyncio
import time

import asyncpg
import pytest
from redis.exceptions import RedisError

from tests.integration.orders.trading_floor import Floor
from tradewind.adapters.postgres import health
from tradewind.adapters.postgres.health import LedgerCheck, PostgresHealth
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.redis.health import RedisHealth
from tradewind.adapters.redis.topics import commands_stream
from tradewind.adapters.system.clock import SystemClock
from tradewind.operations.metrics import REGISTRY


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def stage_count(stage: str) -> float:
    return value("tradewind_order_stage_seconds_count", stage=stage)


async def test_an_order_s_stages_and_a_refusal_s_reason_are_counted(floor: Floor) -> None:
    await floor.start()
    account_id = await floor.open_account("1000")
    stages = ("queue", "commit", "venue_send", "venue_answer")
    before = {stage: stage_count(stage) for stage in stages}
    executed = value("tradewind_order_events_total", event="OrderExecuted")
    refused = value("tradewind_rejects_total", reason="INSUFFICIENT_BUYING_POWER")
    await floor.send(floor.buy(account_id, "1", None))
    reply = await floor.send(floor.buy(account_id, "1000000", None))
    assert reply.refusal is not None
    reason = reply.refusal.code.name
    async with asyncio.timeout(5):
        while value("tradewind_order_events_total", event="OrderExecuted") == executed:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    after = {stage: stage_count(stage) - before[stage] for stage in stages}
    assert after["queue"] == 2
    assert after["venue_send"] == after["venue_answer"] == 1
    assert after["commit"] >= 2
    assert value("tradewind_rejects_total", reason=reason) >= 1
    if reason == "INSUFFICIENT_BUYING_POWER":
        assert value("tradewind_rejects_total", reason=reason) == refused + 1


async def test_each_shard_has_a_gauge(floor: Floor) -> None:
    replica = await floor.start()
    async with asyncio.timeout(5):
        while value("tradewind_shard_owned", shard="15") != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert len(replica.service.offsets) == 16
    await replica.stop()
    assert [value("tradewind_shard_owned", shard=str(shard)) for shard in range(16)] == [0.0] * 16


async def test_the_age_of_a_waiting_command_is_the_stream_s_lag(floor: Floor) -> None:
    two_minutes_ago_ms = int(time.time() * 1_000) - 120_000
    await floor.redis.xadd(commands_stream(7), {"c": b"\x90"}, id=f"{two_minutes_ago_ms}-0")
    behind = RedisHealth(floor.redis, lambda: {7: "0-0", 8: "0-0"}, SystemClock())
    await behind.measure()
    assert value("tradewind_stream_lag_seconds") == pytest.approx(120, abs=5)
    assert value("tradewind_stream_entries", stream="commands") == 1
    assert value("tradewind_redis_memory_bytes") > 0
    caught_up = RedisHealth(floor.redis, lambda: {7: f"{two_minutes_ago_ms}-0"}, SystemClock())
    await caught_up.measure()
    assert value("tradewind_stream_lag_seconds") == 0


async def test_a_redis_that_is_away_cannot_be_measured() -> None:
    redis = connect(RedisAddress("127.0.0.1", 1))
    try:
        with pytest.raises((RedisError, OSError)):
            await RedisHealth(redis, dict, SystemClock()).measure()
    finally:
        await redis.aclose()


async def test_postgresql_is_measured(floor: Floor) -> None:
    await PostgresHealth(floor.engine).measure()
    assert 0 < value("tradewind_postgres_connections") < value("tradewind_postgres_connections_max")
    assert value("tradewind_postgres_database_bytes") > 1_000_000


async def test_a_changed_line_of_the_ledger_is_found(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    await floor.start()
    account_id = await floor.open_account()
    await floor.send(floor.buy(account_id, "1", None))
    check = LedgerCheck(floor.engine)
    await check.measure()
    assert value("tradewind_ledger_unbalanced_events") == 0
    assert value("tradewind_ledger_last_check_timestamp_seconds") == pytest.approx(time.time(), abs=10)
    connection = await asyncpg.connect(floor.database_url)
    try:
        await connection.execute(
            "UPDATE ledger_postings SET amount = amount + 1 WHERE (shard, seq, line) = "
            "(SELECT shard, seq, line FROM ledger_postings ORDER BY shard, seq, line LIMIT 1)"
        )
    finally:
        await connection.close()
    await check.measure()
    assert value("tradewind_ledger_unbalanced_events") == 0, (
        "what was checked is checked again within the hour"
    )
    monkeypatch.setattr(health, "FULL_PASS_INTERVAL_S", 0.0)
    await check.measure()
    await check.measure()
    assert value("tradewind_ledger_unbalanced_events") == 1
