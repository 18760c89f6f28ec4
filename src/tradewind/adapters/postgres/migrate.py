"""Brings a database's schema up to date, never back."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tradewind.adapters.postgres.engine import NO_STATEMENT_TIMEOUT_S, asyncpg_url, connect_arguments
from tradewind.adapters.postgres.schema import StoredSchema, is_newer, known_revisions, stored_schema, too_new
from tradewind.operations.logging import get_logger

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 7_310_001
"""Advisory lock: two processes that start at once do not migrate at once."""
LOCK_TIMEOUT_MS = 1_000
"""A migration that waits for a table makes everybody queue behind it: it gives way after this long, and tries again."""
LOCK_ATTEMPTS_MAX = 60
LOCK_RETRY_DELAY_S = 1.0
LOCK_NOT_AVAILABLE = "55P03"

_log = get_logger(__name__)


class SchemaTooNew(Exception):
    """A later version migrated the database, and this one does not understand it; the message says the mend."""


def upgrade(database_url: str, revision: str = "head") -> None:
    """Run all migrations up to `revision`. Safe to call again and from several processes at once.

    Nothing happens on the schema of a later version that this one may work on. Raises `SchemaTooNew` on any other.
    """
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
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            await connection.commit()
            # Only now: others may migrate for as long as it takes.
            stored = await stored_schema(database_url)
            if is_newer(stored):
                _require_understood(stored)
                return
            await connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
            await connection.commit()
            for attempt in range(1, LOCK_ATTEMPTS_MAX + 1):
                try:
                    await connection.run_sync(_run, revision)
                    await connection.commit()
                    break
                except DBAPIError as error:
                    if attempt == LOCK_ATTEMPTS_MAX or not _gave_way(error):
                        raise
                    await connection.rollback()
                    _log.warning("a table is in use, trying again", attempt=attempt)
                    await asyncio.sleep(LOCK_RETRY_DELAY_S)
    finally:
        await engine.dispose()


def _require_understood(stored: StoredSchema) -> None:
    if stored.compatible_from not in known_revisions():
        raise SchemaTooNew(too_new(stored))
    _log.info("the schema is a later version's, and fits this one", revision=stored.revision)


def _gave_way(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE


def _run(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
