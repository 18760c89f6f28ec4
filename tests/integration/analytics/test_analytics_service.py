"""The analytics service as its own process, on books and bars in a real PostgreSQL."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from decimal import Decimal

import asyncpg
import httpx
import pytest

from tradewind.adapters.auth.api_keys import RandomSecretSource
from tradewind.adapters.auth.tokens import AccessTokens
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.postgres.bar_store import SIMULATED, PostgresBarStore
from tradewind.adapters.postgres.credentials import PostgresCredentialStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.cli.top_access import OwnerAccess
from tradewind.domain.market.ticks import Bar
from tradewind.entrypoints.up.run_file import RunningPlatform
from tradewind.entrypoints.up.seeded import SeededPlatform
from tradewind.ports.credentials import ApiKey, KeyPair, User, fingerprint

D = Decimal
START_TIMEOUT_S = 15
JWT_SECRET = "a key for tests, longer than 32 characters"
EMAIL = "trader@example.com"
HOUR_NS = 3_600_000_000_000
ACCOUNT_ID, USER_ID = Uuid7Source().new_id(), Uuid7Source().new_id()


async def keep_books(database_url: str, opened_ns: int) -> None:
    """100,000 paid in; 10 AAPL ordered at 150 (1,500 held) and bought at 149 for a fee of 1."""
    bought_ns = opened_ns + HOUR_NS
    entries = [(1, opened_ns, "AccountOpened"), (2, opened_ns + 5, "CashDeposited"),
               (3, bought_ns, "OrderSubmitted"), (4, bought_ns + 900, "OrderExecuted")]  # fmt: skip
    lines = [(2, 0, "cash:available", 100_000), (2, 1, "external", -100_000), (3, 0, "cash:available", -1_500),
             (3, 1, "cash:held", 1_500), (4, 0, "cash:held", -1_500), (4, 1, "cash:available", 9),
             (4, 2, "market", 1_490), (4, 3, "fees", 1)]  # fmt: skip
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "INSERT INTO accounts VALUES ($1, 0, 'PA1', 'USD', 1, 98509, 0, NULL, 0, $2)",
            ACCOUNT_ID,
            opened_ns,
        )
        await connection.executemany(
            "INSERT INTO journal VALUES (0, $1, $2, $3, $4, 'c', '{}')",
            [(*entry, ACCOUNT_ID) for entry in entries],
        )
        await connection.executemany(
            "INSERT INTO ledger_postings VALUES (0, $1, $2, $5, $3, 'USD', $4)",
            [(*line, ACCOUNT_ID) for line in lines],
        )
        await connection.execute(
            "INSERT INTO executions VALUES ($1, 'e1', $1, 'AAPL', 'buy', 10, 149, 1, 0, 10, $2, 0, 4)",
            ACCOUNT_ID,
            bought_ns,
        )
    finally:
        await connection.close()


@pytest.fixture
async def key(database_url: str) -> AsyncIterator[KeyPair]:
    """A user with an account, its books, a bar that closes at 160, and a key."""
    now_ns = time.time_ns()
    await keep_books(database_url, now_ns - 3 * HOUR_NS)
    engine = create_engine(database_url)
    pair = RandomSecretSource().new_key_pair()
    store = PostgresCredentialStore(engine)
    await store.add_user(User(user_id=USER_ID, email=EMAIL, password_hash="-", created_at_ns=now_ns))
    await store.add_account(USER_ID, ACCOUNT_ID)
    await store.add_api_key(
        ApiKey(
            key_id=pair.key_id,
            secret_sha256=fingerprint(pair.secret),
            user_id=USER_ID,
            account_id=ACCOUNT_ID,
            created_at_ns=now_ns,
        )
    )
    price = D(160)
    start_ns = now_ns - HOUR_NS
    await PostgresBarStore(engine, SIMULATED).write_bars(
        [Bar("AAPL", "1Min", start_ns, price, price, price, price, D(1), 1, price)]
    )
    yield pair
    await engine.dispose()


def start_service(database_url: str, port: int) -> subprocess.Popen[str]:
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "JWT_SECRET_KEY": JWT_SECRET,
        "TRADEWIND_ANALYTICS_PORT": str(port),
    }
    arguments = [sys.executable, "-m", "tradewind.cli.main", "service", "analytics-service"]
    return subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[tuple[subprocess.Popen[str], str]]:
    """The running process and its address."""
    port = free_loopback_port()
    process = start_service(database_url, port)
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(START_TIMEOUT_S), httpx.AsyncClient(base_url=url) as client:
            while not await _answers(client):
                assert process.poll() is None, process.stdout and process.stdout.read()
                await asyncio.sleep(0.05)
        yield process, url
    finally:
        process.kill()
        process.communicate()


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/ready")).status_code == 200
    except httpx.ConnectError:
        return False


async def test_performance_from_the_database_and_a_clean_stop(
    service: tuple[subprocess.Popen[str], str], key: KeyPair, database_url: str
) -> None:
    process, url = service
    headers = {"APCA-API-KEY-ID": key.key_id, "APCA-API-SECRET-KEY": key.secret}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        performance = await client.get(f"/v1/accounts/{ACCOUNT_ID}/performance")
        assert performance.status_code == 200, performance.text
        answer = performance.json()
        assert (answer["cash"], answer["equity"], answer["fees"]) == ("98509", "100109", "1")
        assert answer["profit"] == "109"
        assert answer["total_return"] == pytest.approx(0.00109)
        curve = (await client.get(f"/v1/accounts/{ACCOUNT_ID}/equity-curve?timeframe=1Min")).json()
        assert {point["equity"] for point in curve["points"]} == {"100000", "99999", "100109"}
        wrong = await client.get(
            f"/v1/accounts/{ACCOUNT_ID}/trades", headers={"APCA-API-SECRET-KEY": "wrong"}
        )
        assert wrong.status_code == 401
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert '"event":"process stopped"' in output
    assert key.secret not in output


async def test_the_owner_of_a_running_platform_sees_its_accounts_without_a_key(
    service: tuple[subprocess.Popen[str], str], key: KeyPair, database_url: str
) -> None:
    running = RunningPlatform(
        supervisor_pid=os.getpid(),
        is_ready=True,
        pids={},
        ports={},
        bind_host="127.0.0.1",
        database_url=database_url,
        redis_host="",
        redis_port=0,
        redis_password="",
        jwt_secret_key=JWT_SECRET,
    )
    seeded = SeededPlatform(EMAIL, key.key_id, ACCOUNT_ID, "")
    (account,) = await OwnerAccess(running, seeded).accounts()
    claims = AccessTokens(JWT_SECRET, 1, Uuid7Source()).read(
        account.headers["Authorization"].removeprefix("Bearer "), time.time_ns()
    )
    assert claims.account_id == ACCOUNT_ID
    async with httpx.AsyncClient(base_url=service[1], headers=dict(account.headers)) as client:
        assert (await client.get(f"/v1/accounts/{ACCOUNT_ID}/trades")).json()["count"] == 0
