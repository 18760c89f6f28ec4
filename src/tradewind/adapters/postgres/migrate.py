"""Brings a database's schema up to date."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tradewind.adapters.postgres.engine import NO_STATEMENT_TIMEOUT_S, asyncpg_url, connect_arguments

_MIGRATION_LOCK = 7_310_001
"""Advisory lock: two processes that start at once do not migrate at once."""


def upgrade(database_url: str, revision: str = "head") -> None:
    """Run all migrations up to `revision`. Safe to call again and from several processes at once."""
    asyncio.run(_upgrade(database_url, revision))


async def _upgrade(database_url: str, revision: str) -> None:
    engine = create_async_engine(
        asyncpg_url(database_url),
        poolclass=NullPool,
        # Rewriting a large table takes its time, and so does waiting for another process that does.
        connect_args=connect_arguments(NO_STATEMENT_TIMEOUT_S),
    )
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            await connection.commit()
            await connection.run_sync(_run, revision)
            await connection.commit()
    finally:
        await engine.dispose()


def _run(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
