"""Composition root of the order service: routing, risk and execution of orders."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.instruments import load_instruments
from tradewind.adapters.postgres.sessions import reading
from tradewind.adapters.postgres.shard_journal import open_shard_journal
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.redis.health import RedisHealth
from tradewind.adapters.redis.market_data import RedisMarketData
from tradewind.adapters.redis.order_bus import RedisCommandSource, RedisOrderPublisher
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.adapters.venues.paper import PaperVenue
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.calendar import AroundTheClock
from tradewind.domain.market.instrument import AssetClass, Instrument
from tradewind.domain.risk.limits import RiskLimits
from tradewind.engine.venue_policies.fees import FeeByAssetClass, PercentageFee
from tradewind.engine.venue_policies.latency import FixedLatency
from tradewind.engine.venue_policies.slippage import BasisPointSlippage
from tradewind.engine.venue_rules import VenueRules
from tradewind.entrypoints.observing import configure_logs, open_spans
from tradewind.operations.backoff import Backoff
from tradewind.operations.garbage import relax_garbage_collection
from tradewind.operations.http import operations_app, serve
from tradewind.operations.lifecycle import run_until_signalled
from tradewind.operations.probes import Probes
from tradewind.operations.tracing import SpanRecorder
from tradewind.operations.watch import Watch
from tradewind.ports.errors import StoreUnavailable
from tradewind.services.orders.announcer import Announcer
from tradewind.services.orders.collaborators import Collaborators
from tradewind.services.orders.marks import MarkPriceBoard
from tradewind.services.orders.order_service import OrderService
from tradewind.services.orders.order_spans import OrderSpans
from tradewind.settings import Settings
from tradewind.version import __version__

SERVICE = "order-service"
INSTRUMENT_REFRESH_S = 10.0
"""How soon an instrument that is added while the service runs can be traded."""

_log = structlog.get_logger(__name__)


def main(settings: Settings) -> None:
    """Run until a signal."""
    configure_logs(SERVICE, settings)
    run_until_signalled(partial(_run, settings, open_spans(SERVICE, settings)))


async def _run(settings: Settings, spans: SpanRecorder, stop: asyncio.Event) -> None:
    relax_garbage_collection()
    clock = SystemClock()
    probes = Probes(SERVICE, __version__)
    server = await serve(operations_app(probes), settings.bind_host, settings.order_port)
    redis = connect(RedisAddress(settings.redis_host, settings.redis_port, settings.redis_password))
    engine = create_engine(settings.database_url)
    market_data = RedisMarketData(redis)
    commands, publisher = RedisCommandSource(redis), RedisOrderPublisher(redis)

    instruments: dict[Symbol, Instrument] = {}

    async def known_instruments() -> Mapping[Symbol, Instrument]:
        # One mapping for the cores and the venue: an instrument that is added while we run is known to both.
        instruments.update({i.symbol: i for i in await load_instruments(engine)})
        return instruments

    marks = MarkPriceBoard(market_data)
    await _until_available(known_instruments, stop)
    venue = PaperVenue(
        rules=_venue_rules(settings, instruments), market_data=market_data, clock=clock, ids=Uuid7Source()
    )
    name = f"tradewind {SERVICE} {socket.gethostname()}"
    service = OrderService(
        Collaborators(
            open_journal=partial(open_shard_journal, settings.database_url, name),
            load_instruments=known_instruments,
            commands=commands,
            announcer=Announcer(publisher),
            venue=venue,
            marks=marks,
            limits=RiskLimits(max_order_notional=settings.max_order_notional),
            clock=clock,
            new_backoff=new_backoff,
            spans=OrderSpans(spans, venue.name),
        )
    )
    probes.add_check("shards", service.readiness)
    watch = Watch(probes, settings.data_dir)
    watch.measure("redis", RedisHealth(redis, lambda: service.offsets, clock).measure)
    watch.measure("postgres", partial(_require_database, engine))
    followers = [
        asyncio.create_task(marks.follow(), name="mark-prices"),
        asyncio.create_task(_refresh(known_instruments), name="instruments"),
    ]
    try:
        async with watch, venue:
            await service.run(stop)
    finally:
        for task in followers:
            task.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        await server.stop()
        spans.close()
        await commands.close()
        await publisher.close()
        await engine.dispose()
        await redis.aclose()


async def _require_database(engine: AsyncEngine) -> None:
    async with reading(engine):
        pass  # the pool asks the server before it lends a connection


async def _refresh(load: Callable[[], Awaitable[Mapping[Symbol, Instrument]]]) -> None:
    while True:
        await asyncio.sleep(INSTRUMENT_REFRESH_S)
        try:
            await load()
        except StoreUnavailable as error:
            _log.warning("instruments not refreshed", reason=str(error))


async def _until_available(
    load: Callable[[], Awaitable[Mapping[Symbol, Instrument]]], stop: asyncio.Event
) -> None:
    backoff = new_backoff()
    while not stop.is_set():
        try:
            await load()
            return
        except StoreUnavailable as error:
            delay_s = backoff.next_delay_s()
            _log.warning("waiting for the database", reason=str(error), retry_in_s=round(delay_s, 2))
            await asyncio.sleep(delay_s)


def new_backoff() -> Backoff:
    """Quick at first: a restarted server is back within a second or two."""
    return Backoff(0.1, 2.0, 2.0, random.Random())  # noqa: S311


def _venue_rules(settings: Settings, instruments: Mapping[Symbol, Instrument]) -> VenueRules:
    return VenueRules(
        instruments=instruments,
        calendar=AroundTheClock(),
        latency=FixedLatency(int(settings.paper_latency_ms * 1_000_000)),
        fees=FeeByAssetClass(
            {
                AssetClass.EQUITY: PercentageFee(settings.paper_equity_fee_rate),
                AssetClass.CRYPTO: PercentageFee(settings.paper_crypto_fee_rate),
            }
        ),
        slippage=BasisPointSlippage(settings.paper_slippage_bps),
    )
