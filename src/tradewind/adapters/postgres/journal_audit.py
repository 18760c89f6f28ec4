"""Reads the journal and the state tables in one REPEATABLE READ snapshot, for their comparison."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tradewind.adapters.postgres import tables
from tradewind.adapters.postgres.order_rows import order_from_row
from tradewind.adapters.postgres.sessions import reading
from tradewind.domain.accounts.account import Account
from tradewind.domain.events import Event, decode_event
from tradewind.domain.identifiers import AccountId, Shard
from tradewind.domain.positions.position import Position
from tradewind.engine.verification import (
    JournalPage,
    StoredEvent,
    StoredExecution,
    StoredLine,
    StoredOrder,
    StoredShard,
)

PAGE_EVENTS = 2_000

# The payload as text: the decoder reads exactly what the writer encoded.
_EVENTS = text(
    "SELECT seq, ts_ns, correlation_id, event_type, account_id::text AS account_id, payload::text AS payload"
    " FROM journal WHERE shard = :shard AND seq > :after_seq ORDER BY seq LIMIT :limit"
)
_LINES = text(
    "SELECT seq, line, account_id::text AS account_id, ledger_account, unit, amount FROM ledger_postings"
    " WHERE shard = :shard AND seq > :after_seq AND seq <= :last_seq ORDER BY seq, line"
)
_SHARDS = text("SELECT shard FROM shards ORDER BY shard")
_SHARD = text("SELECT last_seq, published_seq FROM shards WHERE shard = :shard")
_LARGEST_SEQ = 2**63 - 1


class PostgresJournalAudit:
    """Implements `tradewind.ports.journal_audit.JournalAudit`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator["PostgresJournalSnapshot"]:
        """A read-only transaction."""
        async with reading(self._engine) as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield PostgresJournalSnapshot(connection)


class PostgresJournalSnapshot:
    """Implements `tradewind.ports.journal_audit.JournalSnapshot` within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def shards(self) -> list[Shard]:
        """All shards, in order."""
        return list((await self._connection.execute(_SHARDS)).scalars())

    async def pages(self, shard: Shard) -> AsyncIterator[JournalPage]:
        """At most `PAGE_EVENTS` events a page."""
        after_seq = 0
        is_last = False
        while not is_last:
            values = {"shard": shard, "after_seq": after_seq, "limit": PAGE_EVENTS}
            events = [_event(row) for row in (await self._connection.execute(_EVENTS, values)).mappings()]
            is_last = len(events) < PAGE_EVENTS
            last_seq = _LARGEST_SEQ if is_last else events[-1].seq
            values = {"shard": shard, "after_seq": after_seq, "last_seq": last_seq}
            lines = [StoredLine(**row) for row in (await self._connection.execute(_LINES, values)).mappings()]
            yield JournalPage(events, lines)
            after_seq = last_seq

    async def stored(self, shard: Shard) -> StoredShard:
        """All rows of the shard, at once in memory."""
        row = (await self._connection.execute(_SHARD, {"shard": shard})).one()
        return StoredShard(
            last_seq=row.last_seq,
            published_seq=row.published_seq,
            accounts=await self._accounts(shard),
            orders=await self._orders(shard),
            executions=await self._executions(shard),
        )

    async def _accounts(self, shard: Shard) -> list[Account]:
        query = select(tables.accounts).where(tables.accounts.c.shard == shard)
        accounts: dict[AccountId, Account] = {}
        for row in (await self._connection.execute(query)).mappings():
            accounts[row["account_id"]] = Account(**_without(row, "shard"))
        positions = (
            select(tables.positions)
            .join(tables.accounts, tables.accounts.c.account_id == tables.positions.c.account_id)
            .where(tables.accounts.c.shard == shard)
        )
        for row in (await self._connection.execute(positions)).mappings():
            position = Position(**_without(row, "account_id"))
            accounts[row["account_id"]].positions[position.symbol] = position
        return list(accounts.values())

    async def _orders(self, shard: Shard) -> list[StoredOrder]:
        query = (
            select(tables.orders)
            .join(tables.accounts, tables.accounts.c.account_id == tables.orders.c.account_id)
            .where(tables.accounts.c.shard == shard)
        )
        rows = (await self._connection.execute(query)).mappings()
        return [StoredOrder(order_from_row(row), row["is_open"]) for row in rows]

    async def _executions(self, shard: Shard) -> list[StoredExecution]:
        query = select(tables.executions).where(tables.executions.c.shard == shard)
        rows = (await self._connection.execute(query)).mappings()
        return [StoredExecution(**_without(row, "shard")) for row in rows]


def _event(row: RowMapping) -> StoredEvent:
    return StoredEvent(
        row["seq"],
        row["ts_ns"],
        row["correlation_id"],
        row["event_type"],
        row["account_id"],
        _decoded(row["payload"]),
    )


def _decoded(payload: str) -> Event | None:
    try:
        return decode_event(payload)
    except msgspec.MsgspecError:
        return None


def _without(row: RowMapping, column: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != column}
