"""The journal's writing session over one raw asyncpg connection.

The session's advisory locks say which shards it owns, and the same session writes them: when it ends, for whatever
reason, ownership and the ability to commit end together. PostgreSQL itself ends a session whose process stands still
(`idle_session_timeout`), so a stopped owner cannot come back and write.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from tradewind.adapters.postgres.batch_statement import DEADLINE_PASSED, BatchCall, batch_call
from tradewind.adapters.postgres.order_rows import order_from_row
from tradewind.domain.accounts.account import Account
from tradewind.domain.events import JournalEntry, decode_event
from tradewind.domain.identifiers import AccountId, ClientOrderId, OrderId
from tradewind.domain.orders.order import Order
from tradewind.domain.positions.position import Position
from tradewind.ports.errors import OwnershipLost, StoreUnavailable
from tradewind.ports.journal import DeadlinePassed, PreparedWrite, ShardState, ShardWrite

SHARD_LOCKS = 7_310
"""First key of the advisory locks that say who owns a shard; the second key is the shard."""
REPLICA_LOCK = 7_311
"""Every order service's session shares this lock, so that replicas can be counted."""

SESSION_TIMEOUT_S = 5.0
"""PostgreSQL ends a session that is silent for this long; the service speaks at least every second."""
STATEMENT_TIMEOUT_S = 10.0

_CONNECTION_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
    # The server's farewell has been read and the end of the connection has not.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


async def open_shard_journal(
    database_url: str, name: str, session_timeout_s: float = SESSION_TIMEOUT_S
) -> "PostgresShardJournal":
    """Open a writing session; `name` shows in `pg_stat_activity`. Raises `StoreUnavailable`.

    PostgreSQL ends the session when it is silent for `session_timeout_s`.
    """
    timeout_ms = str(int(session_timeout_s * 1_000))
    async with _failures_mapped():
        connection = await asyncpg.connect(
            database_url,
            timeout=SESSION_TIMEOUT_S,
            command_timeout=STATEMENT_TIMEOUT_S,
            server_settings={
                "application_name": name,
                "synchronous_commit": "on",
                "idle_session_timeout": timeout_ms,
                "lock_timeout": timeout_ms,
                # Planning the batch statement anew each time would cost more than carrying it out.
                "plan_cache_mode": "force_generic_plan",
                # The plan is made once, when the tables may still be empty: it must look rows up by key all the same.
                "enable_seqscan": "off",
                "enable_hashjoin": "off",
                "enable_mergejoin": "off",
            },
        )
        journal = PostgresShardJournal(connection, database_url)
        try:
            await connection.execute("SELECT pg_advisory_lock_shared($1, 0)", REPLICA_LOCK)
        except BaseException:
            connection.terminate()
            raise
        return journal


class PostgresShardJournal:
    """`ports.journal.ShardJournal` on one connection. Not for concurrent use: one loop drives it."""

    def __init__(self, connection: asyncpg.Connection, database_url: str) -> None:
        self._connection = connection
        self._database_url = database_url
        self._reading: asyncpg.Connection | None = None
        self._statements: dict[str, PreparedStatement] = {}
        self._owned: set[int] = set()

    async def claim(self, shards: Collection[int]) -> frozenset[int]:
        """Try the advisory lock of each shard that is not owned yet."""
        wanted = [shard for shard in sorted(shards) if shard not in self._owned]
        async with _failures_mapped():
            rows = await self._connection.fetch(
                "SELECT shard, pg_try_advisory_lock($1, shard) AS won FROM unnest($2::int[]) AS shard",
                SHARD_LOCKS,
                wanted,
            )
        self._owned.update(row["shard"] for row in rows if row["won"])
        return frozenset(self._owned)

    async def release(self, shards: Collection[int]) -> None:
        """Give the locks back."""
        async with _failures_mapped():
            await self._connection.fetch(
                "SELECT pg_advisory_unlock($1, shard) FROM unnest($2::int[]) AS shard",
                SHARD_LOCKS,
                sorted(self._owned.intersection(shards)),
            )
        self._owned.difference_update(shards)

    async def heartbeat(self) -> int:
        """One query: it keeps the session from falling silent, and counts the sessions that share the replica lock."""
        async with _failures_mapped():
            count: int = await self._connection.fetchval(
                """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
                REPLICA_LOCK,
            )
        return count

    async def load(self, shard: int) -> ShardState:
        """Read the shard's row, accounts, positions and open orders."""
        self._require_owned([shard])
        async with _failures_mapped():
            row = await self._connection.fetchrow("SELECT * FROM shards WHERE shard = $1", shard)
            assert row is not None, f"shard {shard} has no row: the schema is not that of this version"
            accounts = await self._load_accounts(shard)
            has_closed_orders: bool = await self._connection.fetchval(
                """SELECT EXISTS (SELECT 1 FROM orders WHERE NOT is_open
                   AND account_id IN (SELECT account_id FROM accounts WHERE shard = $1))""",
                shard,
            )
        return ShardState(
            shard=shard,
            accounts=accounts,
            last_seq=row["last_seq"],
            published_seq=row["published_seq"],
            offset=row["stream_offset"],
            has_closed_orders=has_closed_orders,
        )

    async def _load_accounts(self, shard: int) -> list[Account]:
        rows = await self._connection.fetch(
            "SELECT * FROM accounts WHERE shard = $1 ORDER BY created_at_ns", shard
        )
        accounts = {str(row["account_id"]): _account_from_row(row) for row in rows}
        positions = await self._connection.fetch(
            "SELECT p.* FROM positions p JOIN accounts a USING (account_id) WHERE a.shard = $1 ORDER BY symbol",
            shard,
        )
        for row in positions:
            position = Position(
                row["symbol"], row["qty"], row["cost_basis"], row["realised_pnl"], row["held_qty"]
            )
            accounts[str(row["account_id"])].positions[position.symbol] = position
        orders = await self._connection.fetch(
            """SELECT o.* FROM orders o JOIN accounts a USING (account_id)
               WHERE a.shard = $1 AND o.is_open ORDER BY o.submitted_at_ns""",
            shard,
        )
        for row in orders:
            order = order_from_row(row)
            accounts[order.account_id].open_orders[order.order_id] = order
        return list(accounts.values())

    async def find_orders(
        self, client_ids: Collection[tuple[AccountId, ClientOrderId]], order_ids: Collection[OrderId]
    ) -> list[Order]:
        """Two index look-ups for the whole batch."""
        # A connection of its own: look-ups happen while a batch is being committed.
        async with _failures_mapped():
            reader = await self._reader()
            rows = await reader.fetch(
                """SELECT o.* FROM orders o JOIN unnest($1::uuid[], $2::text[]) AS k(account_id, client_order_id)
                       ON o.account_id = k.account_id AND o.client_order_id = k.client_order_id
                   UNION ALL SELECT o.* FROM orders o WHERE o.order_id = ANY($3::uuid[])""",
                [account_id for account_id, _ in client_ids],
                [client_order_id for _, client_order_id in client_ids],
                list(order_ids),
            )
        return [order_from_row(row) for row in rows]

    async def unpublished(self, shard: int, after_seq: int, limit: int) -> list[JournalEntry]:
        """Entries after a number."""
        async with _failures_mapped():
            rows = await self._connection.fetch(
                "SELECT * FROM journal WHERE shard = $1 AND seq > $2 ORDER BY seq LIMIT $3",
                shard,
                after_seq,
                limit,
            )
        return [
            JournalEntry(
                row["shard"], row["seq"], row["ts_ns"], row["correlation_id"], decode_event(row["payload"])
            )
            for row in rows
        ]

    def prepare(self, writes: Sequence[ShardWrite]) -> PreparedWrite:
        """The statement's arguments, made now."""
        return PreparedWrite(shards=tuple(write.shard for write in writes), content=batch_call(writes))

    async def commit(self, write: PreparedWrite) -> None:
        """One statement that is its own transaction; see the port for what it raises."""
        self._require_owned(write.shards)
        async with _failures_mapped():
            call: BatchCall = write.content
            statement = self._statements.get(call.statement)
            if statement is None:
                statement = await self._connection.prepare(call.statement)
                self._statements[call.statement] = statement
            try:
                written = await statement.fetchval(*call.arguments)
            except asyncpg.PostgresError as error:
                if error.sqlstate == DEADLINE_PASSED:
                    raise DeadlinePassed(str(error)) from error
                raise
        assert written == len(write.shards), f"{written} of {len(write.shards)} shards have a row"

    async def close(self) -> None:
        """End the session."""
        for connection in (self._connection, self._reading):
            if connection is None:
                continue
            try:
                await connection.close(timeout=SESSION_TIMEOUT_S)
            except _CONNECTION_LOST:
                connection.terminate()

    async def _reader(self) -> asyncpg.Connection:
        if self._reading is None or self._reading.is_closed():
            self._reading = await asyncpg.connect(
                self._database_url, timeout=SESSION_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S
            )
        return self._reading

    def _require_owned(self, shards: Collection[int]) -> None:
        missing = set(shards) - self._owned
        if missing:
            raise OwnershipLost(f"shards {sorted(missing)} are not owned by this session")


def _account_from_row(row: asyncpg.Record) -> Account:
    return Account(
        account_id=str(row["account_id"]),
        account_number=row["account_number"],
        currency=row["currency"],
        multiplier=row["multiplier"],
        created_at_ns=row["created_at_ns"],
        cash_available=row["cash_available"],
        cash_held=row["cash_held"],
        halt_reason=row["halt_reason"],
        last_submitted_ns=row["last_submitted_ns"],
    )


@asynccontextmanager
async def _failures_mapped() -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.IdleSessionTimeoutError as error:
        raise OwnershipLost(f"PostgreSQL ended the silent session: {error}") from error
    except _CONNECTION_LOST as error:
        raise StoreUnavailable(f"PostgreSQL: {error or type(error).__name__}") from error
