"""What reads of an account's recent past promise, against PostgreSQL and memory."""

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import msgspec
import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.memory.trading_queries import MemoryTradingQueries
from tradewind.adapters.postgres import tables
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.trading_queries import PostgresTradingQueries
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.domain.accounts.account import Account
from tradewind.domain.accounts.activity import Turnover
from tradewind.domain.orders.terms import Side
from tradewind.domain.positions.position import Position
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.messages import shard_of
from tradewind.ports.trading_queries import CashMovement, Execution, TradingQueries

IDS = Uuid7Source()
ACCOUNT, OTHER = IDS.new_id(), IDS.new_id()
DAY_NS = 1_700_000_000_000_000_000
APPLE = Position("AAPL", Decimal(10), Decimal("1900.5"))


def account(account_id: str, *positions: Position) -> Account:
    return Account(
        account_id=account_id,
        account_number=account_id,
        currency="USD",
        multiplier=Decimal(2),
        created_at_ns=1,
        cash_available=Decimal("1000.50"),
        cash_held=Decimal(100),
        last_submitted_ns=5,
        positions={position.symbol: position for position in positions},
    )


def execution(seq: int, side: Side, qty: str, price: str, **changes: object) -> Execution:
    made = Execution(
        account_id=ACCOUNT,
        order_id=IDS.new_id(),
        execution_id=f"e{seq}",
        symbol="AAPL",
        side=side,
        qty=Decimal(qty),
        price=Decimal(price),
        fee=Decimal("0.25"),
        realised_pnl=Decimal(0),
        position_qty=Decimal(0),
        executed_at_ns=DAY_NS,
        seq=seq,
    )
    return msgspec.structs.replace(made, **changes)


EXECUTIONS = (
    execution(1, Side.BUY, "7", "180", executed_at_ns=DAY_NS - 2),
    execution(2, Side.BUY, "1", "185.5", executed_at_ns=DAY_NS - 1),
    execution(3, Side.SELL, "1", "186", executed_at_ns=DAY_NS - 1),  # of the same instant, booked later
    execution(4, Side.BUY, "2", "190.25"),
    execution(5, Side.SELL, "0.5", "191", executed_at_ns=DAY_NS + 5),
    execution(6, Side.BUY, "1", "192", executed_at_ns=DAY_NS + 6),
    execution(7, Side.SELL, "3", "400", symbol="MSFT", executed_at_ns=DAY_NS + 7),
    execution(8, Side.BUY, "9", "999", account_id=OTHER, executed_at_ns=DAY_NS + 8),
)
DEPOSITS = ((1, -1, "100000"), (2, 0, "500.00"), (3, 4, "-120.5"))
"""Sequence number, time after `DAY_NS`, amount (negative: withdrawn)."""


async def filled_memory() -> MemoryTradingQueries:
    queries = MemoryTradingQueries()
    queries.add_account(account(ACCOUNT, APPLE))
    queries.add_account(account(OTHER))
    queries.add_executions(EXECUTIONS)
    queries.add_cash_movements(
        ACCOUNT,
        [
            CashMovement(
                ts_ns=DAY_NS + offset,
                amount=Decimal(amount),
                kind="CashWithdrawn" if amount.startswith("-") else "CashDeposited",
            )
            for _, offset, amount in DEPOSITS
        ],
    )
    queries.add_cash_movements(
        ACCOUNT, [CashMovement(ts_ns=DAY_NS, amount=Decimal(-9), kind="OrderExecuted")]
    )
    return queries


async def fill(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        for each in (account(ACCOUNT, APPLE), account(OTHER)):
            fields = msgspec.structs.asdict(each)
            positions = fields.pop("positions").values()
            del fields["open_orders"]
            await connection.execute(insert(tables.accounts), fields | {"shard": shard_of(each.account_id)})
            for position in positions:
                row = msgspec.structs.asdict(position) | {"account_id": each.account_id}
                await connection.execute(insert(tables.positions), row)
        rows = [{**msgspec.structs.asdict(made), "shard": 0} for made in EXECUTIONS]
        await connection.execute(insert(tables.executions), rows)
        for seq, offset, amount in DEPOSITS:
            await connection.execute(_JOURNAL_ROW, _journal_row(seq, offset))
            lines = (("external", -Decimal(amount)), ("cash:available", Decimal(amount)))
            await connection.execute(insert(tables.ledger_postings), _lines(seq, lines))
        await connection.execute(_JOURNAL_ROW, _journal_row(9, 0))
        trade = (("cash:available", Decimal(-9)), ("market", Decimal(9)))
        await connection.execute(insert(tables.ledger_postings), _lines(9, trade))


_JOURNAL_ROW = text(
    "INSERT INTO journal (shard, seq, ts_ns, event_type, account_id, correlation_id, payload)"
    " VALUES (0, :seq, :ts_ns, 'any', CAST(:account AS uuid), '', '{}')"
)


def _journal_row(seq: int, offset: int) -> dict[str, object]:
    return {"seq": seq, "ts_ns": DAY_NS + offset, "account": ACCOUNT}


def _lines(seq: int, lines: Sequence[tuple[str, Decimal]]) -> list[dict[str, object]]:
    return [
        {
            "shard": 0,
            "seq": seq,
            "line": number,
            "account_id": ACCOUNT,
            "ledger_account": name,
            "unit": "USD",
            "amount": amount,
        }
        for number, (name, amount) in enumerate(lines)
    ]


@pytest.fixture(params=["memory", "postgres"])
async def queries(request: pytest.FixtureRequest) -> AsyncIterator[TradingQueries]:
    if request.param == "memory":
        yield await filled_memory()
        return
    engine = create_engine(request.getfixturevalue("database_url"))
    await fill(engine)
    yield PostgresTradingQueries(engine)
    await engine.dispose()


async def test_what_happened_since_is_summed_up_beside_the_account(queries: TradingQueries) -> None:
    activity = await queries.activity(ACCOUNT, DAY_NS)
    assert activity is not None
    assert activity.account.cash == Decimal("1100.5")
    assert activity.account.positions == {"AAPL": APPLE}
    assert activity.net_deposits == Decimal("379.5")
    assert activity.turnover == {
        "AAPL": Turnover(
            bought_qty=Decimal(3),
            bought_value=Decimal("572.5"),
            sold_qty=Decimal("0.5"),
            sold_value=Decimal("95.5"),
            fees=Decimal("0.75"),
        ),
        "MSFT": Turnover(sold_qty=Decimal(3), sold_value=Decimal(1200), fees=Decimal("0.25")),
    }
    assert activity.quantities_before == {"AAPL": Decimal("7.5"), "MSFT": Decimal(3)}


async def test_an_account_at_rest_did_nothing(queries: TradingQueries) -> None:
    activity = await queries.activity(ACCOUNT, DAY_NS + 100)
    assert activity is not None
    assert (activity.net_deposits, activity.turnover) == (Decimal(0), {})
    assert activity.cash_before == activity.account.cash
    assert await queries.activity(IDS.new_id(), 0) is None


async def test_net_deposits_count_from_a_moment_on(queries: TradingQueries) -> None:
    assert await queries.net_deposits(ACCOUNT, 0) == Decimal("100379.5")
    assert await queries.net_deposits(ACCOUNT, DAY_NS + 1) == Decimal("-120.5")
    assert await queries.net_deposits(OTHER, 0) == Decimal(0)


async def test_the_last_execution_before_a_moment_gives_its_price(queries: TradingQueries) -> None:
    wanted = ["AAPL", "MSFT", "TSLA"]
    assert await queries.last_execution_prices(ACCOUNT, wanted, DAY_NS) == {"AAPL": Decimal(186)}
    assert await queries.last_execution_prices(ACCOUNT, wanted, DAY_NS + 100) == {
        "AAPL": Decimal(192),
        "MSFT": Decimal(400),
    }
    assert await queries.last_execution_prices(ACCOUNT, ["MSFT"], DAY_NS) == {}


async def test_an_unreachable_store_says_so() -> None:
    memory = MemoryTradingQueries()
    memory.is_available = False
    engine = create_engine("postgresql://nobody:none@127.0.0.1:1/none")
    for broken in (memory, PostgresTradingQueries(engine)):
        with pytest.raises(StoreUnavailable):
            await broken.activity(ACCOUNT, 0)
        with pytest.raises(StoreUnavailable):
            await broken.net_deposits(ACCOUNT, 0)
    await engine.dispose()
