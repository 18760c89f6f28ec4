"""The analytics service's process: builds its adapters and serves HTTP until told to stop."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.auth.authenticator import CredentialAuthenticator
from tradewind.adapters.auth.tokens import AccessTokens
from tradewind.adapters.postgres.credentials import PostgresCredentialStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.health import LedgerCheck, PostgresHealth
from tradewind.adapters.postgres.sessions import reading
from tradewind.adapters.postgres.trading_queries import PostgresTradingQueries
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.entrypoints.bar_sources import bar_source
from tradewind.entrypoints.bar_stores import opened_bar_store, watch_bar_store
from tradewind.entrypoints.observing import configure_logs, open_spans
from tradewind.operations.http import AsgiApp, serve
from tradewind.operations.lifecycle import run_until_signalled
from tradewind.operations.logging import get_logger
from tradewind.operations.probes import Probes
from tradewind.operations.traced_requests import TracedRequests
from tradewind.operations.tracing import SpanRecorder
from tradewind.operations.watch import Watch
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.market_data import BarStore
from tradewind.services.analytics.analysis import Analytics
from tradewind.services.analytics.application import create_application
from tradewind.settings import Settings
from tradewind.version import __version__

SERVICE = "analytics-service"
SERVER_INTERVAL_S = 15.0
"""How often PostgreSQL is asked how it does."""

_log = get_logger(__name__)


def main(settings: Settings) -> None:
    """Run the service until SIGTERM."""
    configure_logs(SERVICE, settings)
    run_until_signalled(partial(_run, settings, open_spans(SERVICE, settings)))


async def _run(settings: Settings, spans: SpanRecorder, stop: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        stack.callback(spans.close)
        engine = create_engine(settings.database_url)
        stack.push_async_callback(engine.dispose)
        bars = await stack.enter_async_context(opened_bar_store(settings, engine, bar_source(settings.feed)))
        probes = _probes(engine)
        app = _application(settings, engine, bars, probes)
        if spans.is_on:
            app = TracedRequests(app, spans)
        server = await serve(app, settings.bind_host, settings.analytics_port)
        _log.info("serving", host=settings.bind_host, port=server.port)
        # This service, for it is the one with time to spare, keeps an eye on the database for all.
        watch = watch_bar_store(Watch(probes, settings.data_dir), bars)
        watch.measure("postgres health", PostgresHealth(engine).measure, SERVER_INTERVAL_S)
        watch.measure("ledger", LedgerCheck(engine).measure)
        async with watch:
            await stop.wait()
        await server.stop()


def _application(settings: Settings, engine: AsyncEngine, bars: BarStore, probes: Probes) -> AsgiApp:
    clock, ids = SystemClock(), Uuid7Source()
    tokens = AccessTokens(settings.jwt_secret_key, settings.access_token_ttl_s, ids)
    authenticator = CredentialAuthenticator(PostgresCredentialStore(engine), tokens, clock)
    analytics = Analytics(PostgresTradingQueries(engine), bars, clock)
    return create_application(analytics, authenticator, ids, probes)


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
