"""The analytics service's process: builds its adapters and serves HTTP until told to stop."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.auth.authenticator import CredentialAuthenticator
from tradewind.adapters.auth.tokens import AccessTokens
from tradewind.adapters.postgres.bar_store import PostgresBarStore
from tradewind.adapters.postgres.credentials import PostgresCredentialStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.sessions import reading
from tradewind.adapters.postgres.trading_queries import PostgresTradingQueries
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.entrypoints.bar_sources import bar_source
from tradewind.operations.http import AsgiApp, serve
from tradewind.operations.lifecycle import run_until_signalled
from tradewind.operations.logging import configure_logging, get_logger
from tradewind.operations.probes import Probes
from tradewind.ports.errors import StoreUnavailable
from tradewind.services.analytics.analysis import Analytics
from tradewind.services.analytics.application import create_application
from tradewind.settings import Settings
from tradewind.version import __version__

SERVICE = "analytics-service"

_log = get_logger(__name__)


def main(settings: Settings) -> None:
    """Run the service until SIGTERM."""
    configure_logging(SERVICE, settings.log_level)
    run_until_signalled(lambda stop: _run(settings, stop))


async def _run(settings: Settings, stop: asyncio.Event) -> None:
    engine = create_engine(settings.database_url)
    try:
        server = await serve(_application(settings, engine), settings.bind_host, settings.analytics_port)
        _log.info("serving", host=settings.bind_host, port=server.port)
        await stop.wait()
        await server.stop()
    finally:
        await engine.dispose()


def _application(settings: Settings, engine: AsyncEngine) -> AsgiApp:
    clock, ids = SystemClock(), Uuid7Source()
    tokens = AccessTokens(settings.jwt_secret_key, settings.access_token_ttl_s, ids)
    authenticator = CredentialAuthenticator(PostgresCredentialStore(engine), tokens, clock)
    analytics = Analytics(
        PostgresTradingQueries(engine), PostgresBarStore(engine, bar_source(settings.feed)), clock
    )
    return create_application(analytics, authenticator, ids, _probes(engine))


def _probes(engine: AsyncEngine) -> Probes:
    async def postgres() -> str | None:
        try:
            async with reading(engine):
                return None  # pre-ping has asked the server
        except StoreUnavailable as error:
            return str(error)

    probes = Probes(SERVICE, __version__)
    probes.add_check("postgres", postgres)
    return probes
