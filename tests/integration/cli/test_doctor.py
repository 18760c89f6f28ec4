"""`tradewind doctor` on real servers: what is well, what is not, and what it says to do."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

from tests import servers
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.postgres.shard_journal import open_shard_journal
from tradewind.adapters.redis.connection import RedisAddress
from tradewind.adapters.redis.topics import commands_stream
from tradewind.cli.doctor_checks.finding import Finding
from tradewind.cli.doctor_checks.machine_check import check_clock, check_disk
from tradewind.cli.doctor_checks.postgres_check import check_postgres
from tradewind.cli.doctor_checks.redis_check import check_redis
from tradewind.cli.doctor_checks.services_check import check_influxdb, check_service, overall
from tradewind.cli.doctor_checks.settings_check import check_settings
from tradewind.operations.http import operations_app, serve
from tradewind.operations.probes import Probes
from tradewind.ports.messages import SHARD_COUNT
from tradewind.settings import Settings
from tradewind.version import __version__

GOOD_SECRET = "4f1b52c07f5e4cf08bb6ff7d2ef3e2ab"


def of(findings: list[Finding], check: str) -> Finding:
    (found,) = [finding for finding in findings if finding.check == check]
    assert (found.state == "ok") == (found.mend == ""), "what is wrong has a mend, and only that"
    return found


@pytest.fixture
def redis_settings(redis_flushed: servers.RedisAddress) -> Settings:
    host, port, password = redis_flushed
    return Settings(redis_host=host, redis_port=port, redis_password=password)


def test_settings_that_are_complete_and_secret_are_well() -> None:
    settings = Settings(
        database_url=f"postgresql://tradewind:{GOOD_SECRET}@db:5432/tradewind",
        redis_host="redis",
        redis_password=GOOD_SECRET,
        jwt_secret_key=GOOD_SECRET,
    )
    assert overall(list(check_settings(settings))) == "ok"


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"database_url": ""}, "settings"),
        ({"redis_host": ""}, "settings"),
        ({"jwt_secret_key": "short"}, "access token key"),
        ({"jwt_secret_key": "please-changeme-please-changeme-please"}, "access token key"),
        ({"redis_password": ""}, "Redis's password"),
        ({"redis_password": "changeme"}, "Redis's password"),
        ({"database_url": "postgresql://tradewind:postgres@db/tradewind"}, "PostgreSQL's password"),
        ({"influxdb_url": "http://influxdb:8086", "influxdb_token": "your-token"}, "InfluxDB's token"),
    ],
)
def test_a_setting_that_is_missing_or_known_to_others_fails(change: dict[str, str], check: str) -> None:
    good = {
        "database_url": f"postgresql://tradewind:{GOOD_SECRET}@db:5432/tradewind",
        "redis_host": "redis",
        "redis_password": GOOD_SECRET,
        "jwt_secret_key": GOOD_SECRET,
    }
    found = of(list(check_settings(Settings(**(good | change)))), check)  # type: ignore[arg-type]
    assert found.state == "fail"
    assert all(secret not in found.text + found.mend for secret in change.values() if secret)


async def test_a_database_without_order_services_has_no_owners(database_url: str) -> None:
    state = await check_postgres(database_url)
    assert of(state.findings, "PostgreSQL").state == "ok"
    assert of(state.findings, "schema").state == "ok"
    shards = of(state.findings, "shards")
    assert shards.state == "fail"
    assert shards.text.startswith("nobody owns 16 of 16: 0, 1, 2")
    assert state.offsets == dict.fromkeys(range(SHARD_COUNT), "0-0")


async def test_shards_that_a_session_owns_have_an_owner(database_url: str) -> None:
    journal = await open_shard_journal(database_url, "tests")
    try:
        await journal.claim(range(SHARD_COUNT))
        assert of((await check_postgres(database_url)).findings, "shards").state == "ok"
        await journal.release([3])
        assert of((await check_postgres(database_url)).findings, "shards").text == "nobody owns 1 of 16: 3"
    finally:
        await journal.close()


async def test_a_server_that_may_lose_what_was_acknowledged_is_noticed(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    finally:
        await connection.close()
    found = of((await check_postgres(database_url)).findings, "synchronous_commit")
    assert found.state == "warn"
    assert "synchronous_commit = on" in found.mend


async def test_a_database_without_the_schema_is_told_how_to_get_it(postgres_url: str) -> None:
    schema = of((await check_postgres(postgres_url)).findings, "schema")
    assert schema.state == "fail"
    assert "tradewind db upgrade" in schema.text


async def test_a_database_that_is_away_shows_no_password() -> None:
    port = free_loopback_port(frozenset())
    state = await check_postgres(f"postgresql://tradewind:{GOOD_SECRET}@127.0.0.1:{port}/x")
    found = of(state.findings, "PostgreSQL")
    assert found.state == "fail"
    assert GOOD_SECRET not in found.text
    assert state.ahead_s is None


async def test_redis_is_looked_at(redis_flushed: servers.RedisAddress) -> None:
    offsets = dict.fromkeys(range(SHARD_COUNT), "0-0")
    state = await check_redis(address_of(redis_flushed), offsets)
    assert of(state.findings, "Redis").state == "ok"
    assert of(state.findings, "Redis eviction").state == "ok"
    assert of(state.findings, "stream lag").state == "ok"
    assert of(state.findings, "market data").state == "warn"
    assert state.ahead_s is not None
    assert abs(state.ahead_s) < 0.25


async def test_commands_that_wait_in_redis_are_noticed(redis_flushed: servers.RedisAddress) -> None:
    old_ms = int(time.time() * 1_000) - 60_000
    with redis_flushed.client() as client:
        client.xadd(commands_stream(3), {"c": b""}, id=f"{old_ms}-0")
    offsets = dict.fromkeys(range(SHARD_COUNT), "0-0")
    waiting = of((await check_redis(address_of(redis_flushed), offsets)).findings, "stream lag")
    assert waiting.state == "fail"
    assert "60." in waiting.text
    offsets[3] = f"{old_ms}-0"
    assert of((await check_redis(address_of(redis_flushed), offsets)).findings, "stream lag").state == "ok"


async def test_a_redis_that_drops_keys_is_noticed(redis_flushed: servers.RedisAddress) -> None:
    with redis_flushed.client() as client:
        before = client.config_get("maxmemory*")
        client.config_set("maxmemory", "1gb")
        client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        found = of((await check_redis(address_of(redis_flushed), None)).findings, "Redis eviction")
    finally:
        with redis_flushed.client() as client:
            for name in ("maxmemory", "maxmemory-policy"):
                client.config_set(name, before[name])
    assert found.state == "fail"
    assert "noeviction" in found.mend


async def test_a_redis_that_is_away_is_a_failure() -> None:
    away = servers.RedisAddress("127.0.0.1", free_loopback_port(frozenset()), "")
    assert of((await check_redis(address_of(away), None)).findings, "Redis").state == "fail"


async def test_services_say_themselves_how_they_are() -> None:
    probes = Probes("order-service", __version__)
    server = await serve(operations_app(probes), "127.0.0.1", 0)
    try:
        (well,) = await check_service("order-service", "127.0.0.1", server.port)
        assert well.state == "ok"

        async def no_database() -> str | None:
            return "the database is away"

        probes.add_check("postgres", no_database)
        (unwell,) = await check_service("order-service", "127.0.0.1", server.port)
        assert unwell.state == "fail"
        assert "postgres: the database is away" in unwell.text
        probes.version = "0.0.1"
        probes._checks.clear()
        (older,) = await check_service("order-service", "127.0.0.1", server.port)
        assert older.state == "warn"
    finally:
        await server.stop()
    (gone,) = await check_service("order-service", "127.0.0.1", server.port)
    assert gone.state == "fail"
    (nowhere,) = await check_service("order-service", "order-service.invalid", 1)
    assert nowhere.state == "fail"


async def test_an_influxdb_that_is_away_is_a_failure() -> None:
    found = await check_influxdb(f"http://127.0.0.1:{free_loopback_port(frozenset())}")
    assert found.state == "fail"


def test_the_machine_is_looked_at(tmp_path: Path) -> None:
    assert check_disk(tmp_path / "not" / "there").check == "disk"
    assert [check_clock("PostgreSQL", s).state for s in (0.001, -0.5, 3.0)] == ["ok", "warn", "fail"]


def test_the_command_prints_json_and_fails_when_something_failed(
    database_url: str, redis_settings: Settings, tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")} | {
        "DATABASE_URL": database_url,
        "REDIS_HOST": redis_settings.redis_host,
        "REDIS_PORT": str(redis_settings.redis_port),
        "REDIS_PASSWORD": redis_settings.redis_password,
        "TRADEWIND_DATA_DIR": str(tmp_path),
        "TRADEWIND_GATEWAY_PORT": str(free_loopback_port(frozenset())),
    }
    command = [sys.executable, "-m", "tradewind.cli.main", "doctor"]
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == "fail"
    checks = {finding["check"]: finding for finding in report["findings"]}
    assert checks["api-gateway"]["state"] == "fail"
    assert checks["PostgreSQL"]["state"] == "ok"
    text = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert text.returncode == 1
    assert "mend: start it" in text.stdout


def address_of(redis: servers.RedisAddress) -> RedisAddress:
    return RedisAddress(redis.host, redis.port, redis.password)
