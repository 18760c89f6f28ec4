"""Reads of the committed state: what PostgreSQL holds arrives as the same values."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.postgres import tables, trading_queries
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.instruments import load_instruments, seed_instruments
from tradewind.adapters.postgres.trading_queries import PostgresTradingQueries
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.domain.accounts.account import Account
from tradewind.domain.market.universe import default_universe
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.domain.positions.position import Position
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.messages import shard_of
from tradewind.ports.trading_queries import CashMovement, Execution, OrderFilter

IDS = Uuid7Source()
ACCOUNT = IDS.new_id()
NOW_NS = 1_700_000_000_000_000_000
APPLE = Position("AAPL", Decimal(10), Decimal("1900.5"), Decimal("-3.25"), Decimal(2))


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database with one account, its positions and the default universe."""
    opened = create_engine(database_url)
    await seed_instruments(opened, default_universe())
    account = {
        "account_id": ACCOUNT,
        "shard": shard_of(ACCOUNT),
        "account_number": "PA1",
        "currency": "USD",
        "multiplier": Decimal("2.0"),
        "cash_available": Decimal("1000.50"),
        "cash_held": Decimal("100.000"),
        "halt_reason": None,
        "last_submitted_ns": 5,
        "created_at_ns": NOW_NS,
    }
    flat = Position("MSFT", realised_pnl=Decimal(7))
    async with opened.begin() as connection:
        await connection.execute(insert(tables.accounts), account)
        await connection.execute(
            insert(tables.positions),
            [{"account_id": ACCOUNT, **msgspec.structs.asdict(position)} for position in (APPLE, flat)],
        )
    yield opened
    await opened.dispose()


@pytest.fixture
def queries(engine: AsyncEngine) -> PostgresTradingQueries:
    """The reader of that database."""
    return PostgresTradingQueries(engine)


def order(number: int, **changes: Any) -> Order:
    made = Order(
        order_id=IDS.new_id(),
        account_id=ACCOUNT,
        client_order_id=f"order-{number}",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        qty=Decimal(100),
        limit_price=Decimal("190.25"),
        held_cash=Decimal(19025),
        hold_rate=Decimal("190.25"),
        submitted_at_ns=NOW_NS + number,
        updated_at_ns=NOW_NS + number,
    )
    return msgspec.structs.replace(made, **changes)


async def store(engine: AsyncEngine, *orders: Order) -> None:
    rows = [{**msgspec.structs.asdict(made), "is_open": made.is_open} for made in orders]
    async with engine.begin() as connection:
        await connection.execute(insert(tables.orders), rows)


async def test_an_account_comes_with_its_positions(queries: PostgresTradingQueries) -> None:
    account = await queries.account(ACCOUNT)
    assert isinstance(account, Account)
    assert (account.cash, account.multiplier) == (Decimal("1100.5"), Decimal(2))
    assert account.positions["AAPL"] == APPLE
    assert str(account.multiplier) == "2"
    assert await queries.account(IDS.new_id()) is None
    assert await queries.positions(ACCOUNT) == [APPLE]


async def test_an_order_comes_back_as_it_was(engine: AsyncEngine, queries: PostgresTradingQueries) -> None:
    plain = order(1)
    full = order(
        2,
        symbol="BTC/USD",
        side=Side.SELL,
        order_type=OrderType.MARKET,
        limit_price=None,
        qty=None,
        notional=Decimal("10.50"),
        status=OrderStatus.REPLACED,
        execution_ids=["a", "b"],
        replaces=plain.order_id,
        replaced_by=IDS.new_id(),
        reject_reason="why",
        expires_at_ns=1,
        filled_at_ns=2,
        canceled_at_ns=3,
        expired_at_ns=4,
        failed_at_ns=5,
        replaced_at_ns=6,
    )
    await store(engine, plain, full)
    assert await queries.order(ACCOUNT, plain.order_id) == plain
    assert await queries.order(ACCOUNT, full.order_id) == full
    assert await queries.order(IDS.new_id(), plain.order_id) is None
    assert await queries.order_by_client_id(ACCOUNT, "order-2") == full
    assert await queries.order_by_client_id(ACCOUNT, "order-3") is None
    assert await queries.order_by_client_id(IDS.new_id(), "order-2") is None


async def test_orders_are_filtered_and_sorted(engine: AsyncEngine, queries: PostgresTradingQueries) -> None:
    first, second = order(1, status=OrderStatus.FILLED), order(2, symbol="MSFT")
    third = order(3, side=Side.SELL)
    await store(engine, third, first, second)
    for order_filter, expected in (
        (OrderFilter(), [third, second, first]),
        (OrderFilter(newest_first=False, limit=2), [first, second]),
        (OrderFilter(is_open=True), [third, second]),
        (OrderFilter(is_open=False), [first]),
        (OrderFilter(symbols=("MSFT", "TSLA")), [second]),
        (OrderFilter(side=Side.SELL), [third]),
        (OrderFilter(after_ns=NOW_NS + 1, until_ns=NOW_NS + 3), [second]),
    ):
        assert await queries.orders(ACCOUNT, order_filter) == expected


async def test_the_fate_of_an_order_waits_for_the_batch_being_written(
    engine: AsyncEngine, queries: PostgresTradingQueries
) -> None:
    late = order(1)
    async with engine.connect() as writer:
        lock = text("SELECT 1 FROM shards WHERE shard = :shard FOR UPDATE")
        await writer.execute(lock, {"shard": shard_of(ACCOUNT)})
        asked = asyncio.create_task(queries.resolve_fate(ACCOUNT, "order-1"))
        await asyncio.sleep(0.2)
        assert not asked.done()
        await writer.execute(insert(tables.orders), {**msgspec.structs.asdict(late), "is_open": True})
        await writer.commit()
        assert await asked == late
    assert await queries.resolve_fate(ACCOUNT, "never-sent") is None


async def test_a_writer_that_is_stuck_does_not_hold_the_question_for_ever(
    engine: AsyncEngine, queries: PostgresTradingQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trading_queries, "FATE_TIMEOUT_MS", 100)
    async with engine.connect() as writer:
        lock = text("SELECT 1 FROM shards WHERE shard = :shard FOR UPDATE")
        await writer.execute(lock, {"shard": shard_of(ACCOUNT)})
        with pytest.raises(StoreUnavailable):
            await queries.resolve_fate(ACCOUNT, "order-1")
    assert await queries.resolve_fate(ACCOUNT, "order-1") is None


async def test_executions_and_cash_movements_come_oldest_first(
    engine: AsyncEngine, queries: PostgresTradingQueries
) -> None:
    executions = [
        Execution(
            account_id=ACCOUNT,
            order_id=IDS.new_id(),
            execution_id=f"e{number}",
            symbol="AAPL",
            side=Side.BUY,
            qty=Decimal("0.5"),
            price=Decimal("190.1"),
            fee=Decimal(0),
            realised_pnl=Decimal(0),
            position_qty=Decimal("0.5"),
            executed_at_ns=NOW_NS + number,
            seq=number,
        )
        for number in (1, 2, 3)
    ]
    async with engine.begin() as connection:
        await connection.execute(
            insert(tables.executions),
            [{**msgspec.structs.asdict(made), "shard": 0} for made in reversed(executions)],
        )
        await add_event(connection, 1, "CashDeposited", [("external", "-500"), ("cash:available", "500.00")])
        # A hold moves cash from available to held: nothing of it is gained or lost.
        await add_event(connection, 2, "OrderSubmitted", [("cash:available", "-95"), ("cash:held", "95")])
        await add_event(
            connection,
            3,
            "OrderExecuted",
            [("cash:held", "-95"), ("cash:available", "95"), ("cash:available", "-90.5"), ("market", "90.5")],
        )
    assert await queries.executions(ACCOUNT, NOW_NS + 1, NOW_NS + 3, 10) == executions[:2]
    assert await queries.executions(ACCOUNT, 0, NOW_NS + 9, 1) == executions[:1]
    movements = [
        CashMovement(ts_ns=NOW_NS + 1, amount=Decimal(500), kind="CashDeposited"),
        CashMovement(ts_ns=NOW_NS + 3, amount=Decimal("-90.5"), kind="OrderExecuted"),
    ]
    assert await queries.cash_movements(ACCOUNT, 0, NOW_NS + 9, 10) == movements
    assert await queries.cash_movements(ACCOUNT, NOW_NS + 2, NOW_NS + 9, 10) == movements[1:]
    assert await queries.cash_movements(IDS.new_id(), 0, NOW_NS + 9, 10) == []


async def add_event(connection: Any, seq: int, kind: str, lines: list[tuple[str, str]]) -> None:
    await connection.execute(
        text(
            "INSERT INTO journal (shard, seq, ts_ns, event_type, account_id, correlation_id, payload)"
            " VALUES (0, :seq, :ts_ns, :kind, CAST(:account AS uuid), '', '{}')"
        ),
        {"seq": seq, "ts_ns": NOW_NS + seq, "kind": kind, "account": ACCOUNT},
    )
    rows = [
        {
            "shard": 0,
            "seq": seq,
            "line": line,
            "account_id": ACCOUNT,
            "ledger_account": name,
            "unit": "USD",
            "amount": Decimal(amount),
        }
        for line, (name, amount) in enumerate(lines)
    ]
    await connection.execute(insert(tables.ledger_postings), rows)


async def test_seeding_adds_what_is_missing_and_changes_nothing(
    engine: AsyncEngine, queries: PostgresTradingQueries
) -> None:
    universe = sorted(default_universe(), key=lambda item: item.symbol)
    assert await queries.instruments() == universe
    halted = msgspec.structs.replace(universe[0], tradable=False)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM instruments WHERE symbol = 'TSLA'"))
    await seed_instruments(engine, [halted, *universe])
    assert await load_instruments(engine) == universe


def test_amounts_lose_their_padding_but_no_digit() -> None:
    assert str(tables.normalised(Decimal("100.00"))) == "100"
    assert str(tables.normalised(Decimal("1E+3"))) == "1000"
    assert str(tables.normalised(Decimal("-0.00"))) in ("0", "-0")
    digits = "123456789012345678901234567890.123456789"
    assert str(tables.normalised(Decimal(digits))) == digits
