"""The strategy service as a process: one replica runs the feed, another takes over, and both stop cleanly."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests import servers
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.redis.market_data import RedisMarketData
from tradewind.domain.market.ticks import Bar, Quote, Trade
from tradewind.domain.market.universe import default_universe

START_TIMEOUT_S = 20.0
TAKEOVER_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
HELD = "tradewind_feed_lease_held 1.0"


class Replica:
    """One process of the service."""

    def __init__(self, database_url: str, redis: servers.RedisAddress) -> None:
        self.port = free_loopback_port()
        environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_HOST": redis.host,
            "REDIS_PORT": str(redis.port),
            "REDIS_PASSWORD": redis.password,
            "TRADEWIND_STRATEGY_PORT": str(self.port),
            "TRADEWIND_STRATEGY_TIMEFRAME": "1Sec",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tradewind.cli.main", "service", "strategy-service"],
            env=environment,
            stdout=subprocess.DEVNULL,
        )

    def get(self, path: str) -> str:
        """The answer's text, empty while there is none."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=2.0)
        except httpx.TransportError:
            return ""
        return answer.text if answer.status_code == 200 else ""

    def leads(self) -> bool:
        return HELD in self.get("/metrics")


def await_leader(replicas: list[Replica], timeout_s: float) -> Replica:
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        for replica in replicas:
            if replica.process.poll() is None and replica.leads():
                return replica
        time.sleep(0.1)
    raise AssertionError(f"nobody runs the feed after {timeout_s} s")


@contextmanager
def running(*replicas: Replica) -> Iterator[list[Replica]]:
    try:
        yield list(replicas)
    finally:
        for replica in replicas:
            replica.process.kill()
            replica.process.wait()


async def seen_within(address: servers.RedisAddress, seconds: float) -> list[Quote | Trade | Bar]:
    redis = connect(RedisAddress(address.host, address.port, address.password))
    events: list[Quote | Trade | Bar] = []
    try:
        async with asyncio.timeout(seconds):
            async for batch in RedisMarketData(redis).subscribe():
                events += batch
    except TimeoutError:
        return events
    finally:
        await redis.aclose()
    return events


@pytest.mark.e2e
def test_one_of_two_replicas_runs_the_feed_and_the_other_takes_over(
    database_url: str, redis_flushed: servers.RedisAddress
) -> None:
    with running(*(Replica(database_url, redis_flushed) for _ in range(2))) as replicas:
        leader = await_leader(replicas, START_TIMEOUT_S)
        (follower,) = (replica for replica in replicas if replica is not leader)
        events = asyncio.run(seen_within(redis_flushed, 2.5))
        assert {event.symbol for event in events} == {i.symbol for i in default_universe()}
        assert {bar.timeframe for bar in events if isinstance(bar, Bar)} >= {"1Sec"}
        quotes = [(quote.symbol, quote.ts_ns) for quote in events if isinstance(quote, Quote)]
        assert len(quotes) == len(set(quotes))
        assert not follower.leads()
        assert "ready" in leader.get("/ready")

        os.kill(leader.process.pid, signal.SIGSTOP)
        assert await_leader([follower], TAKEOVER_TIMEOUT_S) is follower
        os.kill(leader.process.pid, signal.SIGCONT)
        deadline_s = time.monotonic() + 4
        while leader.leads() and time.monotonic() < deadline_s:
            time.sleep(0.05)
        assert not leader.leads()
        assert follower.leads()

        follower.process.kill()
        assert await_leader([leader], TAKEOVER_TIMEOUT_S) is leader
        leader.process.terminate()
        assert leader.process.wait(STOP_TIMEOUT_S) == 0
