"""A database that was restored from a backup, while Redis and the services may still live in a later time."""

import asyncpg

from tradewind.adapters.postgres.lease import LEASE_LOCKS
from tradewind.adapters.postgres.schema import ACCEPTED_RESTORES, CONNECT_TIMEOUT_S, unaccepted_restore
from tradewind.adapters.postgres.shard_journal import REPLICA_LOCK
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.journal import START_OFFSET


class ServicesRunning(Exception):
    """Order or strategy services work on the database now; the message says how many sessions they have."""


async def require_no_services(database_url: str) -> None:
    """Raises `ServicesRunning` when a service that writes has a session, `StoreUnavailable`."""
    connection = await _connected(database_url)
    try:
        sessions = await connection.fetchval(
            """SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = ANY($1::oid[])
               AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
            [REPLICA_LOCK, LEASE_LOCKS],
        )
    finally:
        await connection.close()
    if sessions:
        raise ServicesRunning(
            f"order or strategy services are running ({sessions} sessions): stop all services"
        )


async def begin_anew(database_url: str) -> None:
    """Read the command streams from their start from now on, and let services start again.

    The streams must be empty: what they held before was for another time. Raises `StoreUnavailable`.
    """
    connection = await _connected(database_url)
    try:
        async with connection.transaction():
            restored = await unaccepted_restore(connection)
            await connection.execute("UPDATE shards SET stream_offset = $1", START_OFFSET)
            await connection.execute(
                f"""CREATE TABLE IF NOT EXISTS {ACCEPTED_RESTORES} (
                    restored text PRIMARY KEY, accepted_at timestamptz NOT NULL DEFAULT now())"""
            )
            if restored is not None:
                await connection.execute(f"INSERT INTO {ACCEPTED_RESTORES} (restored) VALUES ($1)", restored)
    finally:
        await connection.close()


async def _connected(database_url: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(database_url, timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
        raise StoreUnavailable(f"the database cannot be reached: {error or 'no answer'}") from error
