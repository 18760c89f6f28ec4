"""Composition root of the API gateway: Alpaca's trading REST API and log-in."""

import asyncio
from functools import partial
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.alpaca.order_format import alpaca_order
from tradewind.adapters.auth.api_keys import RandomSecretSource
from tradewind.adapters.auth.authenticator import CredentialAuthenticator
from tradewind.adapters.auth.passwords import Argon2PasswordHasher
from tradewind.adapters.auth.tokens import AccessTokens
from tradewind.adapters.postgres.credentials import PostgresCredentialStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.sessions import reading
from tradewind.adapters.postgres.trading_queries import PostgresTradingQueries
from tradewind.adapters.redis.command_bus import RedisCommandBus
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.redis.market_data import RedisMarketData
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.domain.market.calendar import AroundTheClock
from tradewind.entrypoints.bar_sources import bar_source, close_timeframe
from tradewind.entrypoints.bar_stores import opened_bar_store, watch_bar_store
from tradewind.entrypoints.observing import configure_logs, open_spans
from tradewind.operations.garbage import relax_garbage_collection
from tradewind.operations.http import AsgiApp, OperationsMiddleware, serve
from tradewind.operations.lifecycle import run_until_signalled
from tradewind.operations.logging import get_logger
from tradewind.operations.probes import Probes
from tradewind.operations.traced_bus import TracedCommandBus
from tradewind.operations.traced_requests import TracedRequests
from tradewind.operations.tracing import SpanRecorder
from tradewind.operations.watch import Watch
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.market_data import BarStore, MarketDataSubscriber
from tradewind.services.gateway.app import create_app
from tradewind.services.gateway.dependencies import GatewayDependencies
from tradewind.settings import Settings
from tradewind.version import __version__

SERVICE = "api-gateway"

_log = get_logger(__name__)


class Market(NamedTuple):
    """The market now and before."""

    data: MarketDataSubscriber
    bars: BarStore


def main(settings: Settings) -> None:
    """Run until a signal."""
    configure_logs(SERVICE, settings)
    run_until_signalled(partial(_run, settings, open_spans(SERVICE, settings)))


async def _run(settings: Settings, spans: SpanRecorder, stop: asyncio.Event) -> None:
    relax_garbage_collection()
    clock, ids = SystemClock(), Uuid7Source()
    redis = connect(RedisAddress(settings.redis_host, settings.redis_port, settings.redis_password))
    engine = create_engine(settings.database_url)
    try:
        async with (
            RedisCommandBus(redis, clock, f"{SERVICE}-{ids.new_id()}") as bus,
            opened_bar_store(settings, engine, bar_source(settings.feed)) as bars,
        ):
            market = Market(RedisMarketData(redis), bars)
            app: AsgiApp = create_app(_dependencies(settings, engine, bus, market, spans))
            if spans.is_on:
                app = TracedRequests(app, spans)
            probes = _probes(engine, bus)
            served = OperationsMiddleware(app, probes)
            server = await serve(served, settings.bind_host, settings.gateway_port)
            _log.info("serving", host=settings.bind_host, port=server.port)
            async with watch_bar_store(Watch(probes, settings.data_dir), bars):
                await stop.wait()
            # Requests in progress still get their replies: the bus closes after the server.
            await server.stop()
    finally:
        await engine.dispose()
        await redis.aclose()
        spans.close()


def _dependencies(
    settings: Settings,
    engine: AsyncEngine,
    bus: RedisCommandBus,
    market: Market,
    spans: SpanRecorder,
) -> GatewayDependencies:
    clock, ids = SystemClock(), Uuid7Source()
    credentials = PostgresCredentialStore(engine)
    tokens = AccessTokens(settings.jwt_secret_key, settings.access_token_ttl_s, ids)
    return GatewayDependencies(
        authenticator=CredentialAuthenticator(credentials, tokens, clock),
        credentials=credentials,
        password_hasher=Argon2PasswordHasher(),
        token_issuer=tokens,
        secret_source=RandomSecretSource(),
        bus=TracedCommandBus(bus, spans.record) if spans.is_on else bus,
        reply_to=bus.reply_to,
        queries=PostgresTradingQueries(engine),
        market_data=market.data,
        bars=market.bars,
        close_timeframe=close_timeframe(settings),
        order_format=alpaca_order,
        calendar=AroundTheClock(),
        ids=ids,
        clock=clock,
        command_deadline_ms=settings.command_deadline_ms,
        refresh_token_ttl_s=settings.refresh_token_ttl_s,
        version=__version__,
    )


def _probes(engine: AsyncEngine, bus: RedisCommandBus) -> Probes:
    async def postgres() -> str | None:
        try:
            async with reading(engine):
                return None  # the pool asks the server before it lends a connection
        except StoreUnavailable as error:
            return str(error)

    async def redis() -> str | None:
        return None if bus.is_connected else "no connection for replies"

    probes = Probes(SERVICE, __version__)
    probes.add_check("postgres", postgres)
    probes.add_check("redis", redis)
    return probes
