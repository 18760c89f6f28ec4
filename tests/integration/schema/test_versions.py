"""Which code may work on which schema: forwards only, and never by two at once."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import asyncpg
import httpx
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests import servers
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.embedded.postgres import EmbeddedPostgres
from tradewind.adapters.postgres import migrate
from tradewind.adapters.postgres.migrate import SchemaTooNew
from tradewind.adapters.postgres.schema import known_revisions, stored_schema, why_not_usable
from tradewind.version import __version__

NEWEST = known_revisions()[-1]
RUN_TIMEOUT_S = 30


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """A database that nobody has migrated."""
    with servers.fresh_database(postgres_url, "template0") as url:
        yield url


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def migrated_by_a_later_version(url: str, compatible_from: str) -> None:
    """As if Tradewind 9.9.9 had been here."""
    asyncio.run(
        execute(
            url,
            "UPDATE alembic_version SET version_num = '9999'",
            f"INSERT INTO schema_compatibility VALUES ('9999', '{compatible_from}', '9.9.9')",
        )
    )


def command(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tradewind.cli.main", *arguments],
        env=os.environ | {"DATABASE_URL": url, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_TIMEOUT_S,
    )


def wait_until_alive(url: str) -> None:
    deadline_s = time.monotonic() + RUN_TIMEOUT_S
    while time.monotonic() < deadline_s:
        with suppress(httpx.TransportError):
            assert httpx.get(url, trust_env=False).status_code == 200
            return
        time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


def test_every_migration_is_known_and_says_whom_it_fits() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())
    assert tuple(sorted(script.revision for script in scripts)) == known_revisions()
    for script in scripts:
        assert script.module.compatible_from in (script.revision, script.down_revision)
        assert not hasattr(script.module, "downgrade"), "a schema is never taken back"


def test_a_new_database_says_who_made_it(database_url: str) -> None:
    stored = asyncio.run(stored_schema(database_url))
    assert (stored.revision, stored.made_by, stored.restored) == (NEWEST, __version__, None)
    assert why_not_usable(stored) is None
    answer = command(database_url, "db", "status")
    assert answer.returncode == 0
    assert f"schema of this version: {NEWEST}" in answer.stdout


def test_no_service_starts_without_a_schema(empty_database: str) -> None:
    answer = command(empty_database, "service", "analytics-service")
    assert answer.returncode == 2
    assert answer.stderr.endswith("error: the database has no schema yet: run `tradewind db upgrade`\n")
    assert command(empty_database, "db", "status").returncode == 1


def test_no_service_starts_on_a_schema_that_it_does_not_understand(database_url: str) -> None:
    migrated_by_a_later_version(database_url, compatible_from="9999")
    answer = command(database_url, "service", "order-service")
    assert answer.returncode == 2
    assert "the database has schema 9999, made by Tradewind 9.9.9" in answer.stderr
    assert "run Tradewind 9.9.9 or later, or restore the backup" in answer.stderr


def test_a_service_that_starts_before_its_database_is_alive_and_ends_when_the_schema_is_wrong() -> None:
    """As after a restart of the whole machine, where everything comes up at once."""
    with servers.server_folder() as folder, servers.running_postgres(folder) as postgres:
        assert isinstance(postgres.server, EmbeddedPostgres)
        url = postgres.server.database_url
        postgres.stop()
        port = free_loopback_port()
        own = {"DATABASE_URL": url, "TRADEWIND_ANALYTICS_PORT": str(port), "JWT_SECRET_KEY": "0" * 32}
        with subprocess.Popen(
            [sys.executable, "-m", "tradewind.cli.main", "service", "analytics-service"],
            env=os.environ | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as service:
            wait_until_alive(f"http://127.0.0.1:{port}/health")
            assert httpx.get(f"http://127.0.0.1:{port}/ready", trust_env=False).status_code == 503
            postgres.restart()
            output, _ = service.communicate(timeout=RUN_TIMEOUT_S)
        assert service.returncode == 2
        assert "the database has no schema yet: run `tradewind db upgrade`" in output


def test_nothing_runs_backwards_over_a_schema_that_is_not_understood(database_url: str) -> None:
    migrated_by_a_later_version(database_url, compatible_from="9999")
    with pytest.raises(SchemaTooNew, match="a schema is never taken back"):
        migrate.upgrade(database_url)
    answer = command(database_url, "db", "upgrade")
    assert answer.returncode == 2
    assert "made by Tradewind 9.9.9" in answer.stderr
    assert asyncio.run(stored_schema(database_url)).revision == "9999"


def test_the_version_before_an_expanding_migration_works_on(database_url: str) -> None:
    migrated_by_a_later_version(database_url, compatible_from=NEWEST)
    stored = asyncio.run(stored_schema(database_url))
    assert why_not_usable(stored) is None
    migrate.upgrade(database_url)  # as an old replica's start does: nothing happens
    assert asyncio.run(stored_schema(database_url)) == stored


def test_several_replicas_migrate_at_once_and_each_migration_runs_once(empty_database: str) -> None:
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", "tradewind.cli.main", "db", "upgrade"],
            env=os.environ | {"DATABASE_URL": empty_database},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    for program in programs:
        output, _ = program.communicate(timeout=RUN_TIMEOUT_S)
        assert program.returncode == 0, output
    stored = asyncio.run(stored_schema(empty_database))
    assert stored.revision == NEWEST


def test_a_migration_gives_way_to_a_long_transaction_and_comes_back(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that waited for its lock would make every order queue behind it."""
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_MS", 50)
    monkeypatch.setattr(migrate, "LOCK_RETRY_DELAY_S", 0.05)

    async def scenario() -> None:
        holder = await asyncpg.connect(empty_database)
        # Every migration writes here: whoever holds it stands for a table that is in use.
        await holder.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("LOCK TABLE alembic_version IN SHARE MODE")
        upgrading = asyncio.create_task(asyncio.to_thread(migrate.upgrade, empty_database))
        await asyncio.sleep(0.5)
        assert not upgrading.done()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'alembic_version'::regclass"
        free = 0
        for _ in range(40):
            free += await holder.fetchval(waiting) == 0
            await asyncio.sleep(0.01)
        assert free, "it never gave way"
        await transaction.rollback()
        await upgrading
        await holder.close()

    asyncio.run(scenario())
    assert asyncio.run(stored_schema(empty_database)).revision == NEWEST
