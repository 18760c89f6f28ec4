"""One connection to Redis for one task: several commands in one write, their answers in one go.

The hot paths use it instead of the pool: it spares the bookkeeping of the pool for every command, and tells a connection
that cannot be made (nothing was sent) from one that broke (something may have been).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from tradewind.ports.errors import BusUnavailable

RedisCommand = Sequence[str | bytes | int]

ANSWER_TIMEOUT_S = 3.0
"""A server that has not answered for this long counts as gone; a caller of a blocking command adds its own wait."""


class RedisPipe:
    """Commands of one task; not for concurrent use. Connects at need and again after a failure."""

    def __init__(self, redis: Redis) -> None:
        self._pool = redis.connection_pool
        self._connection: AbstractConnection | None = None

    async def connect(self) -> None:
        """Make sure that there is a connection; raises `BusUnavailable`: then nothing was sent."""
        if self._connection is not None:
            return
        connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await connection.connect()
                # A server that still loads its data lets us in and refuses the rest: learn it before anything is sent.
                await connection.send_command("PING")
                await connection.read_response()
            self._connection = connection
        except (RedisError, OSError, TimeoutError) as error:
            raise BusUnavailable(f"Redis: {error or type(error).__name__}") from error
        finally:
            # Also when cancelled: a connection that is not ready must not stay open.
            if self._connection is None:
                await _drop(connection)

    async def call(self, commands: Sequence[RedisCommand], timeout_s: float = ANSWER_TIMEOUT_S) -> list[Any]:
        """Send the commands and return their answers, in order.

        Raises `BusUnavailable` when the connection fails, the answers do not come within `timeout_s`, or Redis refuses
        a command; some may have been carried out.
        """
        await self.connect()
        connection = self._connection
        assert connection is not None
        done = False
        try:
            async with asyncio.timeout(timeout_s):
                await connection.send_packed_command(connection.pack_commands(commands))
                answers = [await connection.read_response() for _ in commands]
            done = True
        except (RedisError, OSError, TimeoutError) as error:
            raise BusUnavailable(f"Redis: {error or type(error).__name__}") from error
        finally:
            # Also when cancelled: an answer that is still on its way must not meet the next call.
            if not done:
                await self.close()
        return answers

    async def close(self) -> None:
        """Drop the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await _drop(connection)


async def _drop(connection: AbstractConnection) -> None:
    with contextlib.suppress(RedisError, OSError, TimeoutError):
        await connection.disconnect()
