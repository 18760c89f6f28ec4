"""Reads of the committed trading state from PostgreSQL."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tradewind.adapters.postgres import tables
from tradewind.adapters.postgres.instruments import load_instruments
from tradewind.adapters.postgres.order_rows import order_from_row
from tradewind.adapters.postgres.sessions import reading
from tradewind.domain.accounts.account import Account
from tradewind.domain.accounts.activity import AccountActivity, Turnover
from tradewind.domain.identifiers import AccountId, ClientOrderId, OrderId, Symbol
from tradewind.domain.ledger.posting import LedgerAccount
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import Side
from tradewind.domain.positions.position import Position
from tradewind.ports.messages import shard_of
from tradewind.ports.trading_queries import CashMovement, Execution, OrderFilter

FATE_TIMEOUT_MS = 5_000
"""How long `resolve_fate` waits for a batch; a writer that takes longer is stuck, and `StoreUnavailable` is raised."""

_ORDER_AMOUNTS = (
    "qty", "notional", "limit_price", "stop_price", "filled_qty", "filled_value", "held_cash", "held_qty", "hold_rate",
)  # fmt: skip
_POSITION_AMOUNTS = ("qty", "cost_basis", "realised_pnl", "held_qty")
_EXECUTION_AMOUNTS = ("qty", "price", "fee", "realised_pnl", "position_qty")
_ACCOUNT_AMOUNTS = ("multiplier", "cash_available", "cash_held")
_TURNOVER_AMOUNTS = Turnover.__struct_fields__
_CASH = (LedgerAccount.CASH_AVAILABLE.value, LedgerAccount.CASH_HELD.value)

_TURNOVER = text(
    """
    SELECT symbol,
        coalesce(sum(qty) FILTER (WHERE side = 'buy'), 0) AS bought_qty,
        coalesce(sum(qty * price) FILTER (WHERE side = 'buy'), 0) AS bought_value,
        coalesce(sum(qty) FILTER (WHERE side = 'sell'), 0) AS sold_qty,
        coalesce(sum(qty * price) FILTER (WHERE side = 'sell'), 0) AS sold_value,
        sum(fee) AS fees
    FROM executions WHERE account_id = :account_id AND executed_at_ns >= :since_ns GROUP BY symbol
    """
)
_LAST_EXECUTION_PRICES = text(
    """
    SELECT wanted.symbol, last.price FROM unnest(CAST(:symbols AS text[])) AS wanted (symbol) CROSS JOIN LATERAL (
        SELECT price FROM executions
        WHERE account_id = :account_id AND symbol = wanted.symbol AND executed_at_ns < :before_ns
        ORDER BY executed_at_ns DESC, seq DESC LIMIT 1
    ) AS last
    """
)


class PostgresTradingQueries:
    """Implements `tradewind.ports.trading_queries.TradingQueries`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def account(self, account_id: AccountId) -> Account | None:
        """The account with its positions, without its open orders."""
        async with self._snapshot() as connection:
            return await _account(connection, account_id)

    async def orders(self, account_id: AccountId, order_filter: OrderFilter) -> list[Order]:
        """Orders of an account by submission time."""
        submitted = tables.orders.c.submitted_at_ns
        query = (
            select(tables.orders)
            .where(and_(*_order_conditions(account_id, order_filter)))
            .order_by(submitted.desc() if order_filter.newest_first else submitted.asc())
            .limit(order_filter.limit)
        )
        async with reading(self._engine) as connection:
            return [_order(row) for row in (await connection.execute(query)).mappings()]

    async def order(self, account_id: AccountId, order_id: OrderId) -> Order | None:
        """One order of the account."""
        columns = tables.orders.c
        query = select(tables.orders).where(columns.order_id == order_id, columns.account_id == account_id)
        async with reading(self._engine) as connection:
            return await _one_order(connection, query)

    async def order_by_client_id(self, account_id: AccountId, client_order_id: ClientOrderId) -> Order | None:
        """The order that has this client order id."""
        async with reading(self._engine) as connection:
            return await _one_order(connection, _by_client_id(account_id, client_order_id))

    async def resolve_fate(self, account_id: AccountId, client_order_id: ClientOrderId) -> Order | None:
        """The order that has this client order id, after every batch that is being written now is done."""
        shard = tables.shards.c.shard
        barrier = select(shard).where(shard == shard_of(account_id)).with_for_update()
        async with reading(self._engine) as connection:
            # Nor may a gateway that is gone, or stands still, hold the lock for long: the writer waits for it.
            limits = ("lock_timeout", "idle_in_transaction_session_timeout")
            await connection.execute(
                select(*(func.set_config(name, str(FATE_TIMEOUT_MS), True) for name in limits))  # noqa: FBT003
            )
            # The writer holds this row's lock from before it checks deadlines until its commit.
            await connection.execute(barrier)
            return await _one_order(connection, _by_client_id(account_id, client_order_id))

    async def positions(self, account_id: AccountId) -> list[Position]:
        """Positions of an account that are not flat, by symbol."""
        async with reading(self._engine) as connection:
            return [position for position in await _positions(connection, account_id) if position.qty]

    async def instruments(self) -> list[Instrument]:
        """All instruments by symbol."""
        return await load_instruments(self._engine)

    async def executions(
        self, account_id: AccountId, after_ns: int, until_ns: int, limit: int
    ) -> Sequence[Execution]:
        """Executions in `[after_ns, until_ns)`, oldest first."""
        columns = tables.executions.c
        query = (
            select(*(column for column in columns if column.name != "shard"))
            .where(
                columns.account_id == account_id,
                columns.executed_at_ns >= after_ns,
                columns.executed_at_ns < until_ns,
            )
            .order_by(columns.executed_at_ns, columns.seq)
            .limit(limit)
        )
        async with reading(self._engine) as connection:
            rows = (await connection.execute(query)).mappings()
            return [
                Execution(**{**_with_amounts(row, _EXECUTION_AMOUNTS), "side": Side(row["side"])})
                for row in rows
            ]

    async def cash_movements(
        self, account_id: AccountId, after_ns: int, until_ns: int, limit: int
    ) -> Sequence[CashMovement]:
        """Changes of an account's cash in `[after_ns, until_ns)`, oldest first, one an event."""
        posting, entry = tables.ledger_postings.c, tables.journal.c
        net = func.sum(posting.amount)
        query = (
            select(entry.ts_ns, net.label("amount"), entry.event_type)
            .join_from(
                tables.ledger_postings,
                tables.journal,
                and_(posting.shard == entry.shard, posting.seq == entry.seq),
            )
            .where(
                posting.account_id == account_id,
                posting.ledger_account.in_(_CASH),
                entry.ts_ns >= after_ns,
                entry.ts_ns < until_ns,
            )
            .group_by(entry.shard, entry.seq, entry.ts_ns, entry.event_type)
            .having(net != 0)
            .order_by(entry.ts_ns, entry.seq)
            .limit(limit)
        )
        async with reading(self._engine) as connection:
            return [
                CashMovement(ts_ns=ts_ns, amount=tables.normalised(amount), kind=kind)
                for ts_ns, amount, kind in await connection.execute(query)
            ]

    async def activity(self, account_id: AccountId, since_ns: int) -> AccountActivity | None:
        """The account with its positions, and what was executed and paid in or out at or after `since_ns`."""
        async with self._snapshot() as connection:
            account = await _account(connection, account_id)
            if account is None:
                return None
            return AccountActivity(
                account=account,
                net_deposits=await _net_deposits(connection, account_id, since_ns),
                turnover=await _turnover(connection, account_id, since_ns),
            )

    async def net_deposits(self, account_id: AccountId, since_ns: int) -> Decimal:
        """Deposits less withdrawals at or after `since_ns`."""
        async with reading(self._engine) as connection:
            return await _net_deposits(connection, account_id, since_ns)

    async def last_execution_prices(
        self, account_id: AccountId, symbols: Sequence[Symbol], before_ns: int
    ) -> Mapping[Symbol, Decimal]:
        """The price of the account's last execution in each symbol before `before_ns`; without those that have none."""
        parameters = {"account_id": account_id, "symbols": list(symbols), "before_ns": before_ns}
        async with reading(self._engine) as connection:
            rows = await connection.execute(_LAST_EXECUTION_PRICES, parameters)
            return {symbol: tables.normalised(price) for symbol, price in rows}

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A connection all of whose reads are of the same moment, so that cash and positions belong together."""
        async with reading(self._engine) as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection


def _by_client_id(account_id: AccountId, client_order_id: ClientOrderId) -> Select[Any]:
    columns = tables.orders.c
    return select(tables.orders).where(
        columns.account_id == account_id, columns.client_order_id == client_order_id
    )


def _order_conditions(account_id: AccountId, order_filter: OrderFilter) -> list[ColumnElement[bool]]:
    columns = tables.orders.c
    conditions: list[ColumnElement[bool]] = [columns.account_id == account_id]
    if order_filter.is_open is not None:
        conditions.append(columns.is_open if order_filter.is_open else ~columns.is_open)
    if order_filter.symbols:
        conditions.append(columns.symbol.in_(order_filter.symbols))
    if order_filter.side is not None:
        conditions.append(columns.side == order_filter.side.value)
    if order_filter.after_ns is not None:
        conditions.append(columns.submitted_at_ns > order_filter.after_ns)
    if order_filter.until_ns is not None:
        conditions.append(columns.submitted_at_ns < order_filter.until_ns)
    return conditions


async def _one_order(connection: AsyncConnection, query: Select[Any]) -> Order | None:
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _order(row)


async def _account(connection: AsyncConnection, account_id: AccountId) -> Account | None:
    query = select(tables.accounts).where(tables.accounts.c.account_id == account_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    values = _with_amounts(row, _ACCOUNT_AMOUNTS)
    del values["shard"]
    held = await _positions(connection, account_id)
    return Account(**values, positions={position.symbol: position for position in held})


async def _net_deposits(connection: AsyncConnection, account_id: AccountId, since_ns: int) -> Decimal:
    # Money from outside is the one thing on this ledger account, so these are few rows, whatever was traded.
    posting, entry = tables.ledger_postings.c, tables.journal.c
    query = (
        select(func.coalesce(-func.sum(posting.amount), 0))
        .join_from(
            tables.ledger_postings,
            tables.journal,
            and_(posting.shard == entry.shard, posting.seq == entry.seq),
        )
        .where(
            posting.account_id == account_id,
            posting.ledger_account == LedgerAccount.EXTERNAL.value,
            entry.ts_ns >= since_ns,
        )
    )
    return tables.normalised(Decimal((await connection.execute(query)).scalar_one()))


async def _turnover(
    connection: AsyncConnection, account_id: AccountId, since_ns: int
) -> dict[Symbol, Turnover]:
    parameters = {"account_id": account_id, "since_ns": since_ns}
    rows = (await connection.execute(_TURNOVER, parameters)).mappings()
    return {row["symbol"]: Turnover(**_with_amounts(row, _TURNOVER_AMOUNTS, ("symbol",))) for row in rows}


async def _positions(connection: AsyncConnection, account_id: AccountId) -> list[Position]:
    columns = tables.positions.c
    query = select(tables.positions).where(columns.account_id == account_id).order_by(columns.symbol)
    held = []
    for row in (await connection.execute(query)).mappings():
        values = _with_amounts(row, _POSITION_AMOUNTS)
        del values["account_id"]
        held.append(Position(**values))
    return held


def _order(row: RowMapping) -> Order:
    return order_from_row(_with_amounts(row, _ORDER_AMOUNTS))


def _with_amounts(row: RowMapping, names: Sequence[str], without: Sequence[str] = ()) -> dict[str, Any]:
    values: dict[str, Any] = {name: value for name, value in row.items() if name not in without}
    for name in names:
        if values[name] is not None:
            values[name] = tables.normalised(values[name])
    return values
