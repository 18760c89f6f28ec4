"""An account whose history fits on a page, and the service in front of it."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from tradewind.adapters.memory.bar_store import MemoryBarStore
from tradewind.adapters.memory.trading_queries import MemoryTradingQueries
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.domain.accounts.account import Account
from tradewind.domain.market.ticks import Bar
from tradewind.domain.orders.terms import Side
from tradewind.operations.probes import Probes
from tradewind.ports.authentication import NotAuthenticated, Principal
from tradewind.ports.trading_queries import CashMovement, Execution
from tradewind.services.analytics.analysis import Analytics
from tradewind.services.analytics.application import create_application

D = Decimal
ACCOUNT_ID = "01890000-0000-7000-8000-000000000001"
OTHER_ACCOUNT_ID = "01890000-0000-7000-8000-000000000002"
KEY = {"APCA-API-KEY-ID": "PKTRADER", "APCA-API-SECRET-KEY": "open sesame"}
HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
OPENED_NS = int(datetime(2024, 1, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000_000


class OneKey:
    """Lets one key pair in, to one account."""

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        pair = (headers.get("apca-api-key-id"), headers.get("apca-api-secret-key"))
        if pair != ("PKTRADER", "open sesame"):
            raise NotAuthenticated
        return Principal(user_id=None, account_ids=(ACCOUNT_ID,), account_id=ACCOUNT_ID)


class SetClock:
    """Shows the time that the test sets."""

    def __init__(self, time_ns: int) -> None:
        self.time_ns = time_ns

    def now_ns(self) -> int:
        return self.time_ns


def execution(seq: int, ts_ns: int, side: str, qty: str, price: str, fee: str = "0") -> Execution:
    return Execution(
        account_id=ACCOUNT_ID,
        order_id=f"order-{seq}",
        execution_id=f"execution-{seq}",
        symbol="AAPL",
        side=Side(side),
        qty=D(qty),
        price=D(price),
        fee=D(fee),
        realised_pnl=D(0),
        position_qty=D(0),
        executed_at_ns=ts_ns,
        seq=seq,
    )


def cash_of(one: Execution, booked_after_ns: int = 1_000) -> CashMovement:
    signed_qty = one.qty if one.side is Side.BUY else -one.qty
    amount = -signed_qty * one.price - one.fee
    return CashMovement(ts_ns=one.executed_at_ns + booked_after_ns, amount=amount, kind="OrderExecuted")


def bar(start_ns: int, close: str, timeframe: str = "1Hour") -> Bar:
    price = D(close)
    return Bar("AAPL", timeframe, start_ns, price, price, price, price, D(1), 1, price)


@pytest.fixture
def clock() -> SetClock:
    return SetClock(OPENED_NS + 5 * DAY_NS)


@pytest.fixture
def queries() -> MemoryTradingQueries:
    """100,000 paid in an hour after the opening; 100 AAPL bought on day 1 and sold on day 3."""
    held = MemoryTradingQueries()
    for account_id in (ACCOUNT_ID, OTHER_ACCOUNT_ID):
        held.add_account(
            Account(
                account_id=account_id,
                account_number="PA1",
                currency="USD",
                multiplier=D(2),
                created_at_ns=OPENED_NS,
            )
        )
    bought = execution(1, OPENED_NS + DAY_NS, "buy", "100", "100", "10")
    sold = execution(2, OPENED_NS + 3 * DAY_NS, "sell", "100", "120", "10")
    held.add_executions([bought, sold])
    deposit = CashMovement(ts_ns=OPENED_NS + HOUR_NS, amount=D(100_000), kind="CashDeposited")
    held.add_cash_movements(ACCOUNT_ID, [deposit, cash_of(bought), cash_of(sold)])
    return held


@pytest.fixture
async def bars() -> MemoryBarStore:
    """Hourly closes: 100 at first, 90 from the second day's noon, 130 from the third's."""
    store = MemoryBarStore()
    prices = ["100"] * 48 + ["90"] * 24 + ["130"] * 48
    await store.write_bars([bar(OPENED_NS + hour * HOUR_NS, price) for hour, price in enumerate(prices)])
    return store


@pytest.fixture
async def client(
    queries: MemoryTradingQueries, bars: MemoryBarStore, clock: SetClock
) -> AsyncIterator[httpx.AsyncClient]:
    application = create_application(
        Analytics(queries, bars, clock), OneKey(), Uuid7Source(), Probes("analytics-service", "0")
    )
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=KEY) as asks:
        yield asks


def at(**elapsed: float) -> str:
    """The RFC 3339 text of a time after the account's opening."""
    moment = datetime.fromtimestamp(OPENED_NS // 1_000_000_000, UTC) + timedelta(**elapsed)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
