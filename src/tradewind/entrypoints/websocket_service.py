"""Composition root of the WebSocket service: order updates and market data pushed to clients."""

import asyncio
import random
import time
from functools import partial

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.alpaca.market_data_format import JsonMarketDataFormat, MsgpackMarketDataFormat
from tradewind.adapters.alpaca.trade_update_format import encode_trade_update
from tradewind.adapters.auth.authenticator import CredentialAuthenticator
from tradewind.adapters.auth.tokens import AccessTokens
from tradewind.adapters.postgres.credentials import PostgresCredentialStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.journal_reader import PostgresJournalReader
from tradewind.adapters.postgres.trading_queries import PostgresTradingQueries
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.redis.market_data import RedisMarketData
from tradewind.adapters.redis.order_bus import RedisOrderEventSource
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.entrypoints.observing import configure_logs, open_spans
from tradewind.operations.backoff import Backoff
from tradewind.operations.lifecycle import run_until_signalled
from tradewind.operations.probes import Probes
from tradewind.operations.tracing import SpanRecorder
from tradewind.operations.watch import Watch
from tradewind.ports.authentication import Authenticator
from tradewind.ports.errors import StoreUnavailable
from tradewind.services.websocket.instruments import InstrumentCatalogue
from tradewind.services.websocket.journal_history import JournalHistory
from tradewind.services.websocket.limits import StreamLimits
from tradewind.services.websocket.market_hub import MarketHub
from tradewind.services.websocket.operations_pages import OperationsPages
from tradewind.services.websocket.order_updates import OrderUpdateFollower, UpdateSender
from tradewind.services.websocket.server import Codecs, StreamServer
from tradewind.services.websocket.service import WebSocketService
from tradewind.services.websocket.trading_stream import TradingHub
from tradewind.settings import Settings
from tradewind.version import __version__

SERVICE = "websocket-service"


def main(settings: Settings) -> None:
    """Run until a signal."""
    configure_logs(SERVICE, settings)
    run_until_signalled(partial(_run, settings, open_spans(SERVICE, settings)))


async def _run(settings: Settings, spans: SpanRecorder, stop: asyncio.Event) -> None:
    engine = create_engine(settings.database_url)
    redis = connect(RedisAddress(settings.redis_host, settings.redis_port, settings.redis_password))
    events = RedisOrderEventSource(redis)
    try:
        probes = Probes(SERVICE, __version__)
        service = _build(settings, engine, redis, events, probes, spans)
        async with Watch(probes, settings.data_dir):
            await service.run(settings.bind_host, settings.websocket_port, stop)
    finally:
        spans.close()
        await events.close()
        await redis.aclose()
        await engine.dispose()


def _build(
    settings: Settings,
    engine: AsyncEngine,
    redis: Redis,
    events: RedisOrderEventSource,
    probes: Probes,
    spans: SpanRecorder,
) -> WebSocketService:
    limits = StreamLimits()
    trading = TradingHub()
    market = MarketHub(limits.events_per_frame_max)
    pages = OperationsPages(probes)
    queries = PostgresTradingQueries(engine)
    journal = PostgresJournalReader(engine)
    follower = OrderUpdateFollower(
        source=events,
        history=JournalHistory(journal, queries, trading.has_listeners),
        sender=UpdateSender(trading, InstrumentCatalogue(queries.instruments), encode_trade_update, spans),
        backoff=Backoff(0.1, 1.0, 2.0, random.Random()),  # noqa: S311
        monotonic_s=time.monotonic,
    )
    probes.add_check("postgres", partial(_postgres_problem, journal))
    probes.add_check("redis", partial(_redis_problem, redis))
    probes.add_check("order updates", partial(_follower_problem, follower))
    server = StreamServer(
        authenticator=_authenticator(settings, engine),
        codecs=Codecs(json=JsonMarketDataFormat(), msgpack=MsgpackMarketDataFormat()),
        trading=trading,
        market=market,
        pages=pages,
        limits=limits,
    )
    return WebSocketService(server, pages, follower, market, RedisMarketData(redis))


def _authenticator(settings: Settings, engine: AsyncEngine) -> Authenticator:
    tokens = AccessTokens(settings.jwt_secret_key, settings.access_token_ttl_s, Uuid7Source())
    return CredentialAuthenticator(PostgresCredentialStore(engine), tokens, SystemClock())


async def _postgres_problem(journal: PostgresJournalReader) -> str | None:
    try:
        await journal.heads()
    except StoreUnavailable as error:
        return str(error)
    return None


async def _redis_problem(redis: Redis) -> str | None:
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        return f"redis cannot be reached: {error}"
    return None


async def _follower_problem(follower: OrderUpdateFollower) -> str | None:
    return None if follower.is_following else "not following yet"
