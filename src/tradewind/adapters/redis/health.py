"""What operators need to know of Redis: memory, clients, streams, and how far the order service is behind."""

from collections.abc import Callable, Mapping
from typing import Any

from redis.asyncio import Redis

from tradewind.adapters.redis.topics import EVENTS_STREAM, commands_stream
from tradewind.operations.metrics import (
    REDIS_CLIENTS,
    REDIS_EVICTED,
    REDIS_MEMORY,
    REDIS_MEMORY_MAX,
    STREAM_ENTRIES,
    STREAM_LAG,
)
from tradewind.ports.clock import Clock
from tradewind.ports.messages import SHARD_COUNT

_NS_PER_MS = 1_000_000


class RedisHealth:
    """Measures the server, and the command streams after `offsets` (of each owned shard, the entry applied last)."""

    def __init__(self, redis: Redis, offsets: Callable[[], Mapping[int, str]], clock: Clock) -> None:
        self._redis = redis
        self._offsets = offsets
        self._clock = clock

    async def measure(self) -> None:
        """Set the gauges. Raises `RedisError` or `OSError` when Redis does not answer."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.info()
        pipeline.xlen(EVENTS_STREAM)
        for shard in range(SHARD_COUNT):
            pipeline.xlen(commands_stream(shard))
        info, events, *commands = await pipeline.execute()
        _measure_server(info)
        STREAM_ENTRIES.labels(stream="events").set(events)
        STREAM_ENTRIES.labels(stream="commands").set(sum(commands))
        STREAM_LAG.set(await self.lag_s())

    async def lag_s(self) -> float:
        """Age of the oldest command after the offsets, seconds; 0 when there is none."""
        offsets = {commands_stream(shard): offset for shard, offset in self._offsets().items()}
        if not offsets:
            return 0.0
        answer = await self._redis.xread(dict(offsets.items()), count=1)
        oldest_ms = min(map(_entry_ms, _first_ids(answer)), default=None)
        if oldest_ms is None:
            return 0.0
        return max(self._clock.now_ns() // _NS_PER_MS - oldest_ms, 0) / 1_000


def _measure_server(info: Mapping[str, Any]) -> None:
    REDIS_MEMORY.set(info["used_memory"])
    REDIS_MEMORY_MAX.set(info.get("maxmemory", 0))
    REDIS_CLIENTS.set(info["connected_clients"])
    REDIS_EVICTED.set(info["evicted_keys"])


def _first_ids(answer: Any) -> list[bytes]:
    """The id of the first entry of each stream, from the answer's shape in RESP2 (pairs) or RESP3 (a map)."""
    if isinstance(answer, dict):
        return [entries[0][0][0] for entries in answer.values() if entries and entries[0]]
    return [entries[0][0] for _, entries in answer or () if entries]


def _entry_ms(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])
