"""Sessions of the SQLAlchemy engine, with every way of losing the database told in one word: `StoreUnavailable`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tradewind.ports.errors import StoreUnavailable

_UNAVAILABLE_STATES = ("08", "53", "57", "55P03")
"""SQLSTATE: connection exceptions, insufficient resources, operator intervention (which a statement that takes too
long is counted as), lock not available in time."""


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for queries. Raises `StoreUnavailable` when the database cannot be reached now."""
    async with _translated(), engine.connect() as connection:
        yield connection


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction, committed at the end. Raises `StoreUnavailable`; the outcome is then not known."""
    async with _translated(), engine.begin() as connection:
        yield connection


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    # The last one: the server's farewell has been read and the end of the connection has not.
    except (OSError, PoolTimeout, TimeoutError, asyncpg.InternalClientError) as error:
        raise StoreUnavailable(f"the database cannot be reached: {error}") from error
    except asyncpg.PostgresError as error:
        # Not translated by SQLAlchemy: the server did not let us in, be it for the password or while it starts.
        raise StoreUnavailable(f"the database does not let us in: {error}") from error
    except DBAPIError as error:
        if not _is_lost(error):
            raise
        raise StoreUnavailable(f"the database cannot be reached: {error.orig}") from error


def _is_lost(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None) or ""
    return (
        error.connection_invalidated
        or isinstance(error, OperationalError | InterfaceError)
        or state.startswith(_UNAVAILABLE_STATES)
    )
