"""Leases as advisory locks of a dedicated session.

A process that dies loses its session, and the lock with it, at once. One that hangs (a stopped process, a cut network)
is ended by the server after `SESSION_IDLE_TIMEOUT_S` without a heartbeat; it counts its own lease as over before that,
`VALIDITY_S` after it sent the last heartbeat that was answered. Both are measured on monotonic clocks.
"""

import time
import zlib
from contextlib import suppress

import asyncpg

from tradewind.ports.errors import OwnershipLost, StoreUnavailable

HEARTBEAT_INTERVAL_S = 1.5
VALIDITY_S = 5.0
SESSION_IDLE_TIMEOUT_S = 7.0
"""Longer than `VALIDITY_S`: the holder stops before the server lets another one in."""
CONNECT_TIMEOUT_S = 3.0
COMMAND_TIMEOUT_S = 2.0

LEASE_LOCKS = 7_310_002
"""First key of the advisory locks; the second is a hash of the name."""

_FAILURES = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # The server's farewell has been read and the end of the connection has not.
    asyncpg.InternalClientError,
)


class PostgresLease:
    """Implements `tradewind.ports.lease.Lease`; every instance has a session of its own."""

    def __init__(self, database_url: str, name: str) -> None:
        self._database_url = database_url
        self._name = name
        self._lock_key = zlib.crc32(name.encode()) - (1 << 31)  # a signed 32-bit integer
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._confirmed_s = 0.0

    @property
    def name(self) -> str:
        """What it is the right to do."""
        return self._name

    @property
    def heartbeat_interval_s(self) -> float:
        """How often to call `heartbeat`."""
        return HEARTBEAT_INTERVAL_S

    @property
    def is_held(self) -> bool:
        """Whether this process may act now."""
        connection = self._connection
        return (
            connection is not None
            and not connection.is_closed()
            and time.monotonic() - self._confirmed_s < VALIDITY_S
        )

    async def try_acquire(self) -> bool:
        """Take the lease if it is free. Raises `StoreUnavailable`."""
        if self.is_held:
            return True
        self._abandon()
        sent_s = time.monotonic()
        try:
            connection = await asyncpg.connect(
                self._database_url,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=COMMAND_TIMEOUT_S,
                server_settings={
                    "application_name": f"tradewind lease {self._name}",
                    "idle_session_timeout": str(round(SESSION_IDLE_TIMEOUT_S * 1_000)),
                },
            )
            got_it = await self._try_lock(connection)
        except _FAILURES as error:
            raise StoreUnavailable(f"lease {self._name} cannot be asked for: {error}") from error
        if got_it:
            self._connection = connection
            self._confirmed_s = sent_s
        return got_it

    async def _try_lock(self, connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
        got_it = False
        try:
            got_it = bool(
                await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", LEASE_LOCKS, self._lock_key)
            )
        finally:
            if not got_it:
                connection.terminate()
        return got_it

    async def heartbeat(self) -> None:
        """Keep the lease. Raises `OwnershipLost`."""
        connection = self._connection
        if connection is None or not self.is_held:
            self._abandon()
            raise OwnershipLost(f"lease {self._name} ran out")
        sent_s = time.monotonic()
        try:
            await connection.fetchval("SELECT 1")
        except _FAILURES as error:
            self._abandon()
            raise OwnershipLost(f"lease {self._name} is lost: {error}") from error
        self._confirmed_s = sent_s

    async def release(self) -> None:
        """Give the lease up by ending the session."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(*_FAILURES):
            await connection.close(timeout=COMMAND_TIMEOUT_S)

    def _abandon(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
