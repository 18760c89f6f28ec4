"""PostgreSQL and Redis for the platform: those that the settings name, or else private ones."""

import asyncio
import os
from collections.abc import Sequence
from urllib.parse import urlsplit

import asyncpg
import msgspec
import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.embedded.postgres import EmbeddedPostgres
from tradewind.adapters.embedded.valkey import EmbeddedValkey
from tradewind.entrypoints.supervisor.spec import ProcessSpec
from tradewind.entrypoints.up.errors import PlatformError
from tradewind.settings import Settings

REACH_TIMEOUT_S = 5.0
SERVER_STOP_TIMEOUT_S = 30.0
# Not the whole environment: PG* variables would change the server, and secrets are none of its business.
INHERITED_VARIABLES = ("PATH", "LANG", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

PrivateServer = EmbeddedPostgres | EmbeddedValkey


def private_servers(settings: Settings, data: DataDirectory) -> Sequence[PrivateServer]:
    """The servers that the settings do not name, in the order in which they are to start."""
    ports: set[int] = set()
    servers: list[PrivateServer] = []
    if not settings.database_url:
        ports.add(port := free_loopback_port())
        servers.append(EmbeddedPostgres(data, port))
    if not settings.redis_host:
        servers.append(EmbeddedValkey(data, free_loopback_port(frozenset(ports))))
    return servers


def with_private_servers(settings: Settings, servers: Sequence[PrivateServer]) -> Settings:
    """Settings that name these servers."""
    for server in servers:
        match server:
            case EmbeddedPostgres():
                settings = msgspec.structs.replace(settings, database_url=server.database_url)
            case EmbeddedValkey():
                settings = msgspec.structs.replace(
                    settings, redis_host=server.host, redis_port=server.port, redis_password=server.password
                )
    return settings


def server_spec(server: PrivateServer) -> ProcessSpec:
    """A prepared server as a supervised process."""
    return ProcessSpec(
        name=server.name,
        argv=tuple(server.command()),
        environment={name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ},
        is_ready=server.is_ready,
        prepare=server.prepare,
        user=server.user,
        stop_signal=server.stop_signal,
        stop_timeout_s=SERVER_STOP_TIMEOUT_S,
        unshown_texts=server.unshown_texts,
    )


async def reach_servers(settings: Settings) -> None:
    """Raises `PlatformError` when PostgreSQL or Redis, as the settings name them, does not let us in."""
    await _reach_postgres(settings.database_url)
    await _reach_redis(settings)


async def _reach_postgres(url: str) -> None:
    try:
        async with asyncio.timeout(REACH_TIMEOUT_S):
            connection = await asyncpg.connect(url)
            await connection.close()
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise PlatformError(
            f"cannot reach PostgreSQL at {_place(url)} ({_reason(error)}): "
            "check DATABASE_URL, or leave it empty for a private server"
        ) from error


async def _reach_redis(settings: Settings) -> None:
    client = redis.asyncio.Redis(
        host=settings.redis_host,
        port=settings.redis_port,
        password=settings.redis_password or None,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        async with asyncio.timeout(REACH_TIMEOUT_S):
            await client.ping()
    except (OSError, TimeoutError, redis.exceptions.RedisError) as error:
        raise PlatformError(
            f"cannot reach Redis at {settings.redis_host}:{settings.redis_port} ({_reason(error)}): "
            "check REDIS_HOST, REDIS_PORT and REDIS_PASSWORD, or leave REDIS_HOST empty for a private server"
        ) from error
    finally:
        await client.aclose()


def _place(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] or "its address"


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or f"no answer within {REACH_TIMEOUT_S:g} s"
