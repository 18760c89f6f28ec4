"""Connects a command to the platform: the one that the settings name, else the one that runs on this machine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.postgres.credentials import PostgresCredentialStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.trading_queries import PostgresTradingQueries
from tradewind.adapters.redis.command_bus import RedisCommandBus
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.cli.database import checked_database, explained
from tradewind.entrypoints.up.run_file import with_running_platform
from tradewind.ports.errors import OutsideFailure
from tradewind.services.gateway.commands import CommandSender
from tradewind.services.gateway.errors import ApiError
from tradewind.settings import Settings

REPLY_CHANNEL_PREFIX = "command-line-"
CONNECT_TIMEOUT_S = 5.0
CONNECT_POLL_S = 0.02
MEND = "start the platform with `tradewind up`, or set DATABASE_URL and REDIS_HOST"

Result = TypeVar("Result")


@dataclass(frozen=True)
class PlatformConnection:
    """What commands use of a platform."""

    settings: Settings
    engine: AsyncEngine
    credentials: PostgresCredentialStore
    queries: PostgresTradingQueries
    sender: CommandSender
    ids: Uuid7Source
    clock: SystemClock


def platform_settings() -> Settings:
    """The settings, with the addresses of the platform that runs on this machine where none are set."""
    return with_running_platform(Settings.from_environment())


@asynccontextmanager
async def connect_to_platform(settings: Settings) -> AsyncIterator[PlatformConnection]:
    """A connection to PostgreSQL and to the order service's bus."""
    clock, ids = SystemClock(), Uuid7Source()
    redis = connect(RedisAddress(settings.redis_host, settings.redis_port, settings.redis_password))
    engine = create_engine(settings.database_url)
    queries = PostgresTradingQueries(engine)
    try:
        async with RedisCommandBus(redis, clock, REPLY_CHANNEL_PREFIX + ids.new_id()) as bus:
            await _until_connected(bus)
            yield PlatformConnection(
                settings=settings,
                engine=engine,
                credentials=PostgresCredentialStore(engine),
                queries=queries,
                sender=CommandSender(bus, bus.reply_to, queries, ids, clock, settings.command_deadline_ms),
                ids=ids,
                clock=clock,
            )
    finally:
        await engine.dispose()
        await redis.aclose()


def run_on_platform(work: Callable[[PlatformConnection], Coroutine[Any, Any, Result]]) -> Result:
    """Connect, do the work, and turn failures of the outside into one line that says the mend."""
    settings = platform_settings()
    if not (settings.database_url and settings.redis_host):
        raise click.ClickException(f"no running platform found: {MEND}")
    try:
        with explained(checked_database(settings.database_url, "DATABASE_URL")):
            return asyncio.run(_connected(settings, work))
    except ApiError as error:
        raise click.ClickException(error.message) from error
    except OutsideFailure as error:
        raise click.ClickException(f"{error}; {MEND}") from error


async def _connected(
    settings: Settings, work: Callable[[PlatformConnection], Coroutine[Any, Any, Result]]
) -> Result:
    async with connect_to_platform(settings) as platform:
        return await work(platform)


async def _until_connected(bus: RedisCommandBus) -> None:
    """Sending fails at once while there is no connection; give the first one a moment."""
    for _ in range(round(CONNECT_TIMEOUT_S / CONNECT_POLL_S)):
        if bus.is_connected:
            return
        await asyncio.sleep(CONNECT_POLL_S)
