"""Connections to Redis."""

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


class RedisAddress(msgspec.Struct, frozen=True):
    """Where Redis listens; an empty password means that it asks for none."""

    host: str
    port: int
    password: str = ""


def connect(address: RedisAddress, timeout_s: float = 5.0) -> Redis:
    """A client with a connection pool. It connects at the first command and does not retry by itself.

    `timeout_s` bounds connecting; blocking reads bound themselves.
    """
    return Redis(
        host=address.host,
        port=address.port,
        password=address.password or None,
        socket_connect_timeout=timeout_s,
        socket_timeout=None,
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
    )
