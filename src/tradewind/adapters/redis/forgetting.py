"""Empties the order streams: after a restore they hold commands and events of a time that is not in the books."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tradewind.adapters.redis.topics import EVENTS_STREAM, commands_stream
from tradewind.ports.errors import BusUnavailable
from tradewind.ports.messages import SHARD_COUNT


async def forget_orders(redis: Redis) -> int:
    """Delete every command stream and the event stream; how many there were. Raises `BusUnavailable`."""
    keys = [EVENTS_STREAM, *(commands_stream(shard) for shard in range(SHARD_COUNT))]
    try:
        return int(await redis.delete(*keys))
    except (RedisError, OSError, TimeoutError) as error:
        raise BusUnavailable(f"Redis: {error or type(error).__name__}") from error
