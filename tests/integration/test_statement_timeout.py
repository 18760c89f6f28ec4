"""A statement that takes too long is ended by the server; migrations take as long as they need."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text

from tests import servers
from tradewind.adapters.postgres import migrate
from tradewind.adapters.postgres.engine import NO_STATEMENT_TIMEOUT_S, STATEMENT_TIMEOUT_S, create_engine
from tradewind.adapters.postgres.sessions import reading
from tradewind.ports.errors import StoreUnavailable

NO_TIME_MS = 1


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """A database that nobody has migrated."""
    with servers.fresh_database(postgres_url, "template0") as url:
        yield url


@pytest.mark.parametrize(
    ("limit_s", "shown"), [(STATEMENT_TIMEOUT_S, f"{STATEMENT_TIMEOUT_S}s"), (NO_STATEMENT_TIMEOUT_S, "0")]
)
async def test_every_connection_has_the_limit(postgres_url: str, limit_s: int, shown: str) -> None:
    engine = create_engine(postgres_url, statement_timeout_s=limit_s)
    async with reading(engine) as connection:
        assert (await connection.execute(text("SHOW statement_timeout"))).scalar_one() == shown
    await engine.dispose()


async def test_who_asks_too_much_is_told_to_try_again_and_the_next_one_is_served(postgres_url: str) -> None:
    engine = create_engine(postgres_url, statement_timeout_s=1)
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        async with reading(engine) as connection:
            await connection.execute(text("SELECT pg_sleep(30)"))
    async with reading(engine) as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    await engine.dispose()


def test_migrations_have_no_limit_whatever_the_database_says(empty_database: str) -> None:
    name = urlsplit(empty_database).path.removeprefix("/")
    servers.run_apart(limit_statements(empty_database, name))
    migrate.upgrade(empty_database)
    assert servers.run_apart(fetched(empty_database, "SELECT count(*) FROM shards")) > 0


async def limit_statements(url: str, database: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f'ALTER DATABASE "{database}" SET statement_timeout = {NO_TIME_MS}')
    await connection.close()


async def fetched(url: str, query: str) -> int:
    connection = await asyncpg.connect(url, server_settings={"statement_timeout": "0"})
    value: int = await connection.fetchval(query)
    await connection.close()
    return value
