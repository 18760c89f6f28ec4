"""Fixtures that every test may use: a real PostgreSQL with a fresh database each test, and a real Redis."""

import os
import uuid
from collections.abc import Iterator

import msgspec
import pytest

from tests import influx_server, servers
from tradewind.adapters.influxdb.client import InfluxAddress


@pytest.fixture(scope="session", autouse=True)
def _not_the_traders_own_platform() -> None:
    """A key or a setting in the developer's shell must not change what a test sees, nor reach what he runs."""
    for name in [name for name in os.environ if name.startswith(("APCA_", "INFLUXDB_", "TRADEWIND_"))]:
        del os.environ[name]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of the session's PostgreSQL server, one of its databases; take `database_url` unless you make your own."""
    with servers.shared_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(postgres_url: str) -> Iterator[str]:
    """Name of the database, with all migrations applied, that each test's own is copied from."""
    with servers.migrated_template(postgres_url) as name:
        yield name


@pytest.fixture
def database_url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    """URL of a fresh, migrated, empty database of this test's own."""
    with servers.fresh_database(postgres_url, migrated_template) as url:
        yield url


@pytest.fixture(scope="session")
def given_redis() -> Iterator[servers.RedisAddress | None]:
    """The Redis that the environment names, if it does. It must be empty: nobody's data are deleted."""
    try:
        with servers.given_redis() as address:
            yield address
    except servers.ServerInUse as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture(scope="session")
def redis_address(given_redis: servers.RedisAddress | None) -> Iterator[servers.RedisAddress]:
    """Host, port and password of the session's Redis; take `redis_flushed` unless leftovers do not matter."""
    if given_redis is not None:
        yield given_redis
        return
    with servers.embedded_redis() as address:
        yield address


@pytest.fixture
def redis_flushed(redis_address: servers.RedisAddress) -> servers.RedisAddress:
    """The session's Redis with nothing in it."""
    redis_address.flush()
    return redis_address


@pytest.fixture(scope="session")
def shared_influx() -> Iterator[InfluxAddress]:
    """The session's InfluxDB; take `influx_address`. Skips where there is none."""
    with influx_server.shared_influx() as address:
        if address is None:
            pytest.skip(influx_server.WHY_SKIPPED)
        yield address


@pytest.fixture
def influx_address(shared_influx: InfluxAddress) -> InfluxAddress:
    """The session's InfluxDB and a database there that does not exist yet."""
    return msgspec.structs.replace(shared_influx, database=f"tradewind-test-{uuid.uuid4().hex[:12]}")
