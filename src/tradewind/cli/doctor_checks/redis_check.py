"""Redis: reachable, new enough, never dropping what it holds, and not behind."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.redis.health import RedisHealth
from tradewind.adapters.redis.market_data import RedisMarketData
from tradewind.adapters.system.clock import SystemClock
from tradewind.cli.doctor_checks.finding import Finding, fail, ok, warn
from tradewind.ports.errors import BusUnavailable

TIMEOUT_S = 5.0
MIN_VERSION = (6, 2)
"""The first that trims streams up to an entry."""
LAG_WARN_S = 0.5
LAG_FAIL_S = 5.0
QUOTE_AGE_WARN_S = 30.0
MEMORY_SHARE_MAX = 0.85

_NS_PER_S = 1e9


class RedisState(msgspec.Struct):
    """What was found, and how far its clock is ahead of ours."""

    findings: list[Finding]
    ahead_s: float | None = None


async def check_redis(address: RedisAddress, offsets: Mapping[int, str] | None) -> RedisState:
    """Look at the server; at the waiting commands too when the database told the `offsets`."""
    redis = connect(address, TIMEOUT_S)
    try:
        return await _look(redis, offsets)
    except (RedisError, OSError, TimeoutError, BusUnavailable) as error:
        mend = "is it running, and are REDIS_HOST, REDIS_PORT and REDIS_PASSWORD right?"
        return RedisState([fail("Redis", f"cannot be reached: {error or type(error).__name__}", mend)])
    finally:
        await redis.aclose()


async def _look(redis: Redis, offsets: Mapping[int, str] | None) -> RedisState:
    before_s = time.time()
    seconds, microseconds = await redis.time()
    now_s = (before_s + time.time()) / 2
    info: Mapping[str, Any] = await redis.info()
    findings = [*_server(info), *_memory(info)]
    if offsets is not None:
        lag_s = await RedisHealth(redis, lambda: offsets, SystemClock()).lag_s()
        findings.append(_lag(lag_s))
    findings.append(await _quotes(redis))
    return RedisState(findings, seconds + microseconds / 1e6 - now_s)


def _server(info: Mapping[str, Any]) -> Iterator[Finding]:
    name = "Valkey" if "valkey_version" in info else "Redis"
    shown = str(info.get("valkey_version") or info["redis_version"])
    version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    if version < MIN_VERSION:
        yield fail("Redis", f"version {shown} is too old", "use Redis 6.2 or newer, or Valkey")
    else:
        yield ok("Redis", f"{name} {shown}")
    if info.get("aof_enabled"):
        yield ok("Redis persistence", "append-only file")
    elif info.get("rdb_bgsave_in_progress") or info.get("rdb_saves", 0):
        yield ok("Redis persistence", "snapshots")
    else:
        yield warn(
            "Redis persistence",
            "a restart forgets the commands that wait; their clients get an error and retry, nothing acknowledged is lost",
            "set `appendonly yes`",
        )


def _memory(info: Mapping[str, Any]) -> Iterator[Finding]:
    policy = info.get("maxmemory_policy", "noeviction")
    limit = info.get("maxmemory", 0)
    mend = "set `maxmemory-policy noeviction`"
    if policy == "noeviction":
        yield ok("Redis eviction", "noeviction")
    elif limit:
        yield fail("Redis eviction", f"{policy}: it drops commands and events when memory is short", mend)
    else:
        yield warn("Redis eviction", f"{policy}: harmless only while there is no maxmemory", mend)
    used = info["used_memory"]
    if limit and used > limit * MEMORY_SHARE_MAX:
        yield warn("Redis memory", f"{used / limit:.0%} of its limit is in use", "raise `maxmemory`")


def _lag(lag_s: float) -> Finding:
    if lag_s < LAG_WARN_S:
        return ok("stream lag", "no command waits" if lag_s == 0 else f"{lag_s * 1_000:.0f} ms")
    text = f"the oldest command has waited for {lag_s:.1f} s"
    mend = "is there an order service for every shard, and does it have CPU time? see its log"
    return (fail if lag_s > LAG_FAIL_S else warn)("stream lag", text, mend)


async def _quotes(redis: Redis) -> Finding:
    quotes = await RedisMarketData(redis).latest_quotes()
    mend = "see the strategy service's log: it runs the feed"
    if not quotes:
        return warn("market data", "there are no quotes", mend)
    age_s = time.time() - max(quote.ts_ns for quote in quotes.values()) / _NS_PER_S
    text = f"the newest of {len(quotes)} symbols' quotes is {max(age_s, 0):.1f} s old"
    return ok("market data", text) if age_s < QUOTE_AGE_WARN_S else warn("market data", text, mend)
