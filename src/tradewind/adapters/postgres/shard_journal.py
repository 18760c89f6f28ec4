"""The journal's writing session over one raw asyncpg connection.

The session's advisory locks say which shards it owns, and the same session writes them: when it ends, for whatever
reason, ownership and the ability to commit end together. PostgreSQL itself ends a session whose process stands still
(`idle_session_timeout`), so a stopped owner cannot come back and write.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tradewind.adapters.postgres.order_rows import (
    MUTABLE_COLUMNS,
    ORDER_COLUMNS,
    order_from_row,
    order_to_row,
)
from tradewind.domain.accounts.account import Account
from tradewind.domain.events import JournalEntry, OrderExecuted, decode_event, encode_event
from tradewind.domain.identifiers import AccountId, ClientOrderId, OrderId
from tradewind.domain.orders.order import Order
from tradewind.domain.positions.position import Position
from tradewind.ports.clock import Clock
from tradewind.ports.errors import OwnershipLost, StoreUnavailable
from tradewind.ports.journal import DeadlinePassed, ShardState, ShardWrite

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
    asyncpg.LockNotAvailableError,
    OSError,
    TimeoutError,
)

_ACCOUNT_COLUMNS = {
    "account_id": "uuid",
    "cash_available": "numeric",
    "cash_held": "numeric",
    "halt_reason": "text",
    "last_submitted_ns": "bigint",
}
_POSITION_COLUMNS = {
    "account_id": "uuid",
    "symbol": "text",
    "qty": "numeric",
    "cost_basis": "numeric",
    "realised_pnl": "numeric",
    "held_qty": "numeric",
}


def _unnest(columns: dict[str, str]) -> str:
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(columns.values(), 1))
    return f"unnest({arrays}) AS n({', '.join(columns)})"


_CHANGED_ORDER_COLUMNS = {column: ORDER_COLUMNS[column] for column in ("order_id", *MUTABLE_COLUMNS)}
_UPDATE_ORDERS = f"""
    UPDATE orders o SET {", ".join(f"{column} = n.{column}" for column in MUTABLE_COLUMNS)}
    FROM {_unnest(_CHANGED_ORDER_COLUMNS)} WHERE o.order_id = n.order_id"""
_ADD_EXECUTION_IDS = """
    UPDATE orders o SET execution_ids = o.execution_ids || n.added
    FROM (SELECT order_id, array_agg(execution_id ORDER BY place) AS added
          FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS u(order_id, execution_id, place)
          GROUP BY order_id) n
    WHERE o.order_id = n.order_id"""
_UPDATE_ACCOUNTS = f"""
    UPDATE accounts a SET cash_available = n.cash_available, cash_held = n.cash_held,
        halt_reason = n.halt_reason, last_submitted_ns = n.last_submitted_ns
    FROM {_unnest(_ACCOUNT_COLUMNS)} WHERE a.account_id = n.account_id"""
_UPSERT_POSITIONS = f"""
    INSERT INTO positions ({", ".join(_POSITION_COLUMNS)}) SELECT * FROM {_unnest(_POSITION_COLUMNS)}
    ON CONFLICT (account_id, symbol) DO UPDATE SET qty = excluded.qty, cost_basis = excluded.cost_basis,
        realised_pnl = excluded.realised_pnl, held_qty = excluded.held_qty"""
_UPDATE_SHARDS = """
    UPDATE shards s SET last_seq = n.last_seq, published_seq = n.published_seq, stream_offset = n.stream_offset
    FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::text[])
        AS n(shard, last_seq, published_seq, stream_offset)
    WHERE s.shard = n.shard AND s.last_seq <= n.last_seq"""


async def open_shard_journal(database_url: str, clock: Clock, name: str) -> "PostgresShardJournal":
    """Open a writing session; `name` shows in `pg_stat_activity`. Raises `StoreUnavailable`."""
    timeout_ms = str(int(SESSION_TIMEOUT_S * 1_000))
    async with _failures_mapped():
        connection = await asyncpg.connect(
            database_url,
            timeout=SESSION_TIMEOUT_S,
            command_timeout=STATEMENT_TIMEOUT_S,
            server_settings={
                "application_name": name,
                "synchronous_commit": "on",
                "idle_session_timeout": timeout_ms,
                "idle_in_transaction_session_timeout": timeout_ms,
                "lock_timeout": timeout_ms,
            },
        )
        await connection.execute("SELECT pg_advisory_lock_shared($1, 0)", REPLICA_LOCK)
        return PostgresShardJournal(connection, clock)


class PostgresShardJournal:
    """`ports.journal.ShardJournal` on one connection. Not for concurrent use: one loop drives it."""

    def __init__(self, connection: asyncpg.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
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
        async with _failures_mapped():
            rows = await self._connection.fetch(
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

    async def commit(self, writes: Sequence[ShardWrite]) -> None:
        """One transaction; see the port for what it raises."""
        shards = [write.shard for write in writes]
        self._require_owned(shards)
        async with _failures_mapped():
            # A gateway that wants to know a command's fate takes the same row locks: whoever comes second sees all.
            numbers = ",".join(str(shard) for shard in sorted(shards))
            await self._connection.execute(
                f"BEGIN; SELECT 1 FROM shards WHERE shard IN ({numbers}) ORDER BY shard FOR UPDATE"
            )
            now_ns = self._clock.now_ns()
            if any(write.deadline_ns is not None and now_ns > write.deadline_ns for write in writes):
                await self._connection.execute("ROLLBACK")
                raise DeadlinePassed
            await self._write(writes)
            await self._connection.execute("COMMIT")

    async def close(self) -> None:
        """End the session."""
        try:
            await self._connection.close(timeout=SESSION_TIMEOUT_S)
        except _CONNECTION_LOST:
            self._connection.terminate()

    async def _write(self, writes: Sequence[ShardWrite]) -> None:
        await self._copy("accounts", _NEW_ACCOUNT_COLUMNS, _new_account_rows(writes))
        await self._copy("journal", _JOURNAL_COLUMNS, _journal_rows(writes))
        await self._copy("ledger_postings", _POSTING_COLUMNS, _posting_rows(writes))
        await self._copy(
            "orders", list(ORDER_COLUMNS), [order_to_row(o) for w in writes for o in w.new_orders]
        )
        await self._copy("executions", _EXECUTION_COLUMNS, _execution_rows(writes))
        changed = [o for w in writes for o in w.changed_orders]
        await self._run(_UPDATE_ORDERS, [[getattr(o, c) for c in _CHANGED_ORDER_COLUMNS] for o in changed])
        await self._run(_ADD_EXECUTION_IDS, _added_execution_ids(writes))
        await self._run(
            _UPDATE_ACCOUNTS,
            [[getattr(a, column) for column in _ACCOUNT_COLUMNS] for w in writes for a in w.changed_accounts],
        )
        await self._run(
            _UPSERT_POSITIONS,
            [
                [account_id, p.symbol, p.qty, p.cost_basis, p.realised_pnl, p.held_qty]
                for w in writes
                for account_id, p in w.positions
            ],
        )
        await self._run(
            _UPDATE_SHARDS,
            [[w.shard, w.last_seq, w.published_seq, w.offset] for w in writes],
        )

    async def _copy(self, table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
        if rows:
            await self._connection.copy_records_to_table(table, columns=columns, records=rows)

    async def _run(self, statement: str, rows: list[list[Any]]) -> None:
        if rows:
            await self._connection.execute(statement, *(list(column) for column in zip(*rows, strict=True)))

    def _require_owned(self, shards: Collection[int]) -> None:
        missing = set(shards) - self._owned
        if missing:
            raise OwnershipLost(f"shards {sorted(missing)} are not owned by this session")


_NEW_ACCOUNT_COLUMNS = [
    "account_id",
    "shard",
    "account_number",
    "currency",
    "multiplier",
    "cash_available",
    "cash_held",
    "halt_reason",
    "last_submitted_ns",
    "created_at_ns",
]
_JOURNAL_COLUMNS = ["shard", "seq", "ts_ns", "event_type", "account_id", "correlation_id", "payload"]
_POSTING_COLUMNS = ["shard", "seq", "line", "account_id", "ledger_account", "unit", "amount"]
_EXECUTION_COLUMNS = [
    "account_id",
    "execution_id",
    "order_id",
    "symbol",
    "side",
    "qty",
    "price",
    "fee",
    "realised_pnl",
    "position_qty",
    "executed_at_ns",
    "shard",
    "seq",
]


def _new_account_rows(writes: Sequence[ShardWrite]) -> list[tuple[Any, ...]]:
    return [
        tuple(w.shard if column == "shard" else getattr(a, column) for column in _NEW_ACCOUNT_COLUMNS)
        for w in writes
        for a in w.new_accounts
    ]


def _journal_rows(writes: Sequence[ShardWrite]) -> list[tuple[Any, ...]]:
    return [
        (
            entry.shard,
            entry.seq,
            entry.ts_ns,
            type(entry.event).__name__,
            entry.event.account_id,
            entry.correlation_id,
            encode_event(entry.event).decode(),
        )
        for w in writes
        for entry in w.entries
    ]


def _posting_rows(writes: Sequence[ShardWrite]) -> list[tuple[Any, ...]]:
    return [
        (entry.shard, entry.seq, line, entry.event.account_id, p.ledger_account, p.unit, p.amount)
        for w in writes
        for entry, postings in zip(w.entries, w.postings, strict=True)
        for line, p in enumerate(postings)
    ]


def _execution_rows(writes: Sequence[ShardWrite]) -> list[tuple[Any, ...]]:
    return [
        tuple(
            getattr(entry if column in ("shard", "seq") else entry.event, column)
            for column in _EXECUTION_COLUMNS
        )
        for w in writes
        for entry in w.entries
        if isinstance(entry.event, OrderExecuted)
    ]


def _added_execution_ids(writes: Sequence[ShardWrite]) -> list[list[Any]]:
    """Executions of orders that are not new: a new order's row carries its own."""
    new = {order.order_id for w in writes for order in w.new_orders}
    return [
        [entry.event.order_id, entry.event.execution_id]
        for w in writes
        for entry in w.entries
        if isinstance(entry.event, OrderExecuted) and entry.event.order_id not in new
    ]


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
    except (asyncpg.IdleSessionTimeoutError, asyncpg.IdleInTransactionSessionTimeoutError) as error:
        raise OwnershipLost(f"PostgreSQL ended the silent session: {error}") from error
    except _CONNECTION_LOST as error:
        raise StoreUnavailable(f"PostgreSQL: {error or type(error).__name__}") from error
