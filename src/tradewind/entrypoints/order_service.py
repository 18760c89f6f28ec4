"""Composition root of the order service: routing, risk and execution of orders."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import structlog

from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.instruments import load_instruments
from tradewind.adapters.postgres.shard_journal import open_shard_journal
from tradewind.adapters.redis.connection import RedisAddress, connect
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
from tradewind.operations.backoff import Backoff
from tradewind.operations.http import operations_app, serve
from tradewind.operations.lifecycle import run_until_signalled
from tradewind.operations.logging import configure_logging
from tradewind.operations.probes import Probes
from tradewind.ports.errors import StoreUnavailable
from tradewind.services.orders.announcer import Announcer
from tradewind.services.orders.collaborators import Collaborators
from tradewind.services.orders.marks import MarkPriceBoard
from tradewind.services.orders.order_service import OrderService
from tradewind.settings import Settings
from tradewind.version import __version__

SERVICE = "order-service"

_log = structlog.get_logger(__name__)


def main(settings: Settings) -> None:
    """Run until a signal."""
    configure_logging(SERVICE, settings.log_level)
    run_until_signalled(partial(_run, settings))


async def _run(settings: Settings, stop: asyncio.Event) -> None:
    clock = SystemClock()
    probes = Probes(SERVICE, __version__)
    server = await serve(operations_app(probes), settings.bind_host, settings.order_port)
    redis = connect(RedisAddress(settings.redis_host, settings.redis_port, settings.redis_password))
    engine = create_engine(settings.database_url)
    market_data = RedisMarketData(redis)
    publisher = RedisOrderPublisher(redis)

    async def instruments() -> Mapping[Symbol, Instrument]:
        return {instrument.symbol: instrument for instrument in await load_instruments(engine)}

    marks = MarkPriceBoard(market_data)
    known = await _until_available(instruments, stop)
    venue = PaperVenue(
        rules=_venue_rules(settings, known), market_data=market_data, clock=clock, ids=Uuid7Source()
    )
    name = f"tradewind {SERVICE} {socket.gethostname()}"
    service = OrderService(
        Collaborators(
            open_journal=partial(open_shard_journal, settings.database_url, clock, name),
            load_instruments=instruments,
            commands=RedisCommandSource(redis),
            announcer=Announcer(publisher, publisher),
            venue=venue,
            marks=marks,
            limits=RiskLimits(max_order_notional=settings.max_order_notional),
            clock=clock,
            new_backoff=new_backoff,
        )
    )
    probes.add_check("shards", service.readiness)
    marks_task = asyncio.create_task(marks.follow(), name="mark-prices")
    try:
        async with venue:
            await service.run(stop)
    finally:
        marks_task.cancel()
        await asyncio.gather(marks_task, return_exceptions=True)
        await server.stop()
        await engine.dispose()
        await redis.aclose()


async def _until_available(
    load: Callable[[], Awaitable[Mapping[Symbol, Instrument]]], stop: asyncio.Event
) -> Mapping[Symbol, Instrument]:
    backoff = new_backoff()
    while not stop.is_set():
        try:
            return await load()
        except StoreUnavailable as error:
            delay_s = backoff.next_delay_s()
            _log.warning("waiting for the database", reason=str(error), retry_in_s=round(delay_s, 2))
            await asyncio.sleep(delay_s)
    return {}


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
