"""Blows at random moments that a seed repeats: processes are killed or stand still for a while, Redis is flushed.

Servers that are not the platform's own cannot be killed: all its connections to them are cut instead.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import asyncpg
import redis.asyncio
import redis.exceptions

from tests.e2e.platform import ORDER_SERVICE, POSTGRES, SERVICES, VALKEY, LivePlatform

FLUSH = "flush of Redis"
FREEZE = "freeze of "
AND_FLUSH = " and flush of Redis"
KILLS: tuple[str, ...] = (
    *SERVICES,
    POSTGRES,
    VALKEY,
    FLUSH,
    # Both at once: otherwise the commands that were not committed are read again from Redis, which hides it when an
    # order was acknowledged too early.
    ORDER_SERVICE + AND_FLUSH,
    POSTGRES + AND_FLUSH,
)
FREEZES: tuple[str, ...] = tuple(FREEZE + name for name in (*SERVICES, POSTGRES, VALKEY))
PAUSE_S = (0.3, 4.0)
"""Between two blows: often shorter than it takes to recover from one, so that they meet."""
FROZEN_S = (0.5, 8.0)
"""On both sides of every time-out of the platform's; shorter than its supervisor's patience."""
CUT_TIMEOUT_S = 5.0


class Havoc:
    """Deals blows, each once in every round of a shuffled deck; counts those that met something alive."""

    def __init__(self, platform: LivePlatform, seed: int, deck: Sequence[str]) -> None:
        self._platform = platform
        self._random = random.Random(seed)
        self._all = tuple(deck)
        self._deck: list[str] = []
        self._thaws: set[asyncio.Task[None]] = set()
        self.blows: Counter[str] = Counter()

    async def rage(self, duration_s: float) -> None:
        """For this long, and until every blow of the deck was dealt once; nothing is frozen afterwards."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + duration_s
        try:
            while loop.time() < end_s or any(not self.blows[blow] for blow in self._all):
                await asyncio.sleep(self._random.uniform(*PAUSE_S))
                if not self._deck:
                    self._deck = list(self._all)
                    self._random.shuffle(self._deck)
                blow = self._deck.pop()
                if await self._strike(blow):
                    self.blows[blow] += 1
        finally:
            await asyncio.gather(*self._thaws)

    async def _strike(self, blow: str) -> bool:
        if blow == FLUSH:
            return await asyncio.to_thread(self._platform.flush_redis)
        if blow.startswith(FREEZE):
            return self._freeze(blow.removeprefix(FREEZE))
        has_met = await self._kill(blow.removesuffix(AND_FLUSH))
        if has_met and blow.endswith(AND_FLUSH):
            has_met = await asyncio.to_thread(self._platform.flush_redis)
        return has_met

    async def _kill(self, name: str) -> bool:
        running = self._platform.running
        if name == POSTGRES and not self._platform.owns(POSTGRES):
            return await cut_postgres(running.database_url)
        if name == VALKEY and not self._platform.owns(VALKEY):
            return await cut_redis(running.redis_host, running.redis_port, running.redis_password)
        return self._platform.send(name, signal.SIGKILL)

    def _freeze(self, name: str) -> bool:
        pid = self._platform.pid(name)
        if pid is None:
            return False
        family = [pid, *children_of(pid)]
        signal_all(family, signal.SIGSTOP)
        thaw = asyncio.create_task(self._thaw(family, self._random.uniform(*FROZEN_S)))
        self._thaws.add(thaw)
        thaw.add_done_callback(self._thaws.discard)
        return True

    async def _thaw(self, pids: Sequence[int], after_s: float) -> None:
        try:
            await asyncio.sleep(after_s)
        finally:
            signal_all(pids, signal.SIGCONT)


async def cut_postgres(database_url: str) -> bool:
    """End the database's sessions, as a fail-over does; whether PostgreSQL was there to do it."""
    try:
        connection = await asyncpg.connect(database_url, timeout=CUT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        cut = await connection.fetchval(
            """SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"""
        )
    finally:
        connection.terminate()
    return bool(cut)


async def cut_redis(host: str, port: int, password: str) -> bool:
    """Close every other connection to Redis; whether it was there to do it."""
    client = redis.asyncio.Redis(
        host=host, port=port, password=password or None, socket_timeout=CUT_TIMEOUT_S
    )
    try:
        normal = await client.client_kill_filter(_type="normal", skipme=True)
        subscribed = await client.client_kill_filter(_type="pubsub", skipme=True)
    except redis.exceptions.RedisError:
        return False
    finally:
        await client.aclose()
    return bool(normal or subscribed)


def children_of(pid: int) -> list[int]:
    """Process ids of the children that a process has now."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to those that still are."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
