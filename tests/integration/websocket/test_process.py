"""The service as a process, on a real database and a real Redis."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine
from websockets.asyncio.client import connect

from tests import servers
from tests.integration.websocket.harness import hear, listen, log_in, read_to_the_end, say
from tests.integration.websocket.journal_rows import insert_entry
from tests.unit.services.websocket.makers import (
    AAPL,
    ALICE,
    acknowledged,
    entry,
    make_order,
    published,
    submitted,
    trade,
)
from tradewind.adapters.postgres.credentials import PostgresCredentialStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.instruments import seed_instruments
from tradewind.adapters.redis.connection import RedisAddress
from tradewind.adapters.redis.connection import connect as connect_redis
from tradewind.adapters.redis.market_data import RedisMarketData
from tradewind.adapters.redis.order_bus import RedisOrderPublisher
from tradewind.domain.events import Event
from tradewind.ports.credentials import ApiKey, User, fingerprint

USER_ID = "0191d6a0-0000-7000-8000-0000000000f1"
KEY, SECRET = "TWALICE", "wonderland"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def engine_of(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database that knows Apple's share, and Alice with her key."""
    engine = create_engine(database_url)
    await seed_instruments(engine, [AAPL])
    store = PostgresCredentialStore(engine)
    await store.add_user(User(user_id=USER_ID, email="alice@example.org", password_hash="-", created_at_ns=1))
    await store.add_account(USER_ID, ALICE)
    fingerprinted = fingerprint(SECRET)
    await store.add_api_key(
        ApiKey(key_id=KEY, secret_sha256=fingerprinted, user_id=USER_ID, account_id=ALICE, created_at_ns=1)
    )
    yield engine
    await engine.dispose()


@asynccontextmanager
async def running_process(
    database_url: str, redis_address: servers.RedisAddress, port: int
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """The process once it is ready; killed at the end unless it ended."""
    ours = {
        "DATABASE_URL": database_url,
        "REDIS_HOST": redis_address.host,
        "REDIS_PORT": str(redis_address.port),
        "REDIS_PASSWORD": redis_address.password,
        "JWT_SECRET_KEY": "k" * 32,
        "TRADEWIND_WEBSOCKET_PORT": str(port),
    }
    arguments = [sys.executable, "-m", "tradewind.cli.main", "service", "websocket-service"]
    process = subprocess.Popen(arguments, env=os.environ | ours)  # noqa: ASYNC220 - the test may wait for it
    try:
        await until_ready(port)
        yield process
    finally:
        process.kill()
        process.wait()


async def until_ready(port: int) -> None:
    async with asyncio.timeout(15), httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                answer = await client.get(f"http://127.0.0.1:{port}/ready")
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return
            await asyncio.sleep(0.05)


async def commit(engine: AsyncEngine, *events: Event) -> None:
    for seq, event in enumerate(events, start=1):
        await insert_entry(engine, entry(seq, event))


async def test_a_process_serves_streams_and_leaves_when_asked(
    database_url: str, redis_flushed: servers.RedisAddress
) -> None:
    port = free_port()
    base = f"ws://127.0.0.1:{port}"
    order = make_order()
    async with (
        engine_of(database_url) as engine,
        connect_redis(RedisAddress(*redis_flushed)) as redis,
        running_process(database_url, redis_flushed, port) as process,
        connect(f"{base}/v2/iex", proxy=None) as watcher,
        connect(f"{base}/stream", proxy=None) as trader,
    ):
        await log_in(watcher, KEY, SECRET)
        await say(watcher, {"action": "subscribe", "trades": ["AAPL"]})
        await hear(watcher)
        await RedisMarketData(redis).publish([trade()])
        assert [event["p"] for event in await hear(watcher)] == [190.11]

        await listen(trader, KEY, SECRET)
        await commit(engine, submitted(order), acknowledged())
        publisher = RedisOrderPublisher(redis)
        await publisher.publish([published(2, acknowledged(), order)])  # the first was lost
        await publisher.close()
        assert [(await hear(trader))["data"]["event"] for _ in range(2)] == ["pending_new", "new"]

        began_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        messages, code, _ = await read_to_the_end(watcher)
        assert (messages, code) == ([], 1001)
        assert await asyncio.to_thread(process.wait, 10) == 0
        assert time.monotonic() - began_s < 5
