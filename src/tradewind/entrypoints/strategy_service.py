"""The strategy service: runs the feed and one strategy, each on exactly one replica."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.lease import PostgresLease
from tradewind.adapters.postgres.sessions import reading
from tradewind.adapters.postgres.trading_queries import PostgresTradingQueries
from tradewind.adapters.redis.command_bus import RedisCommandBus
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.redis.market_data import RedisMarketData
from tradewind.adapters.redis.order_bus import RedisOrderEventSource
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.domain.market.ticks import Bar
from tradewind.domain.market.timeframe import Timeframe
from tradewind.entrypoints.bar_sources import bar_source
from tradewind.entrypoints.bar_stores import bar_backlog, opened_bar_store, watch_bar_store
from tradewind.entrypoints.feeds import (
    minutes_of_today,
    no_minutes,
    open_replay_feed,
    open_simulated_feed,
    symbols_in,
)
from tradewind.entrypoints.observing import configure_logs, open_spans
from tradewind.operations.http import operations_app, serve
from tradewind.operations.lifecycle import run_until_signalled
from tradewind.operations.logging import get_logger
from tradewind.operations.probes import Probes
from tradewind.operations.traced_bus import TracedCommandBus
from tradewind.operations.tracing import SpanRecorder
from tradewind.operations.watch import Watch
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.feed import Feed
from tradewind.ports.market_data import BarStore
from tradewind.services.strategies.bar_spool import BarSpool
from tradewind.services.strategies.host import Assignment
from tradewind.services.strategies.ingest import Ingest, IngestPlan
from tradewind.services.strategies.leadership import run_while_leading
from tradewind.services.strategies.loader import NO_STRATEGY, StrategyNotFound, load_strategy
from tradewind.services.strategies.order_sender import Sending
from tradewind.services.strategies.runner import Links, StrategyRunner
from tradewind.services.strategies.status import READINESS_CHECK, StrategyStatus
from tradewind.settings import Settings
from tradewind.version import __version__

SERVICE = "strategy-service"
STORED_TIMEFRAME = "1Min"

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
        redis = connect(RedisAddress(settings.redis_host, settings.redis_port, settings.redis_password))
        stack.push_async_callback(redis.aclose)
        clock, ids = SystemClock(), Uuid7Source()
        bus = await stack.enter_async_context(RedisCommandBus(redis, clock, ids.new_id()))
        market_data = RedisMarketData(redis)
        links = Links(
            bus=TracedCommandBus(bus, spans.record_root) if spans.is_on else bus,
            order_events=RedisOrderEventSource(redis),
            queries=PostgresTradingQueries(engine),
            market_data=market_data,
            clock=clock,
            ids=ids,
        )
        probes = Probes(SERVICE, __version__)
        probes.add_check("postgres", partial(_check_postgres, engine))
        probes.add_check("redis", partial(_check_redis, redis))
        status = StrategyStatus()
        probes.add_check(READINESS_CHECK, status.check)
        server = await serve(operations_app(probes), settings.bind_host, settings.strategy_port)
        stack.push_async_callback(server.stop)
        bars = await stack.enter_async_context(opened_bar_store(settings, engine, bar_source(settings.feed)))
        lease = PostgresLease(settings.database_url, "feed")
        ingest = _feed_ingest(settings, bars, market_data, links, lease)
        probes.add_check("feed", ingest.readiness)
        work: list[Callable[[], Awaitable[None]]] = [partial(run_while_leading, lease, ingest.run)]
        work += _strategy_work(settings, links, bus.reply_to, status)
        async with watch_bar_store(Watch(probes, settings.data_dir), bars):
            await _until_stopped(work, stop)


def _feed_ingest(
    settings: Settings, store: BarStore, market_data: RedisMarketData, links: Links, lease: PostgresLease
) -> Ingest:
    is_replay = settings.feed == "replay"
    names = [
        STORED_TIMEFRAME,
        settings.strategy_timeframe,
        *([settings.replay_timeframe] if is_replay else []),
    ]

    async def open_feed() -> Feed:
        if is_replay:
            return await open_replay_feed(settings, store, links.queries)
        return await open_simulated_feed(settings, store, links.clock)

    async def earlier_minutes() -> list[Bar]:
        return await (no_minutes() if is_replay else minutes_of_today(store, links.clock))

    return Ingest(
        open_feed=open_feed,
        earlier_minutes=earlier_minutes,
        plan=IngestPlan(
            timeframes=list(dict.fromkeys(Timeframe.parse(name) for name in names)),
            # What a replay would store is made of what is stored already.
            stored_timeframes=() if is_replay else (STORED_TIMEFRAME,),
        ),
        publisher=market_data,
        spool=BarSpool(store, bar_backlog(settings)),
        may_act=lambda: lease.is_held,
    )


def _strategy_work(
    settings: Settings, links: Links, reply_to: str, status: StrategyStatus
) -> list[Callable[[], Awaitable[None]]]:
    if settings.strategy == NO_STRATEGY or not settings.strategy_account_id:
        status.is_absent()
        _log.info("no strategy runs: set TRADEWIND_STRATEGY and TRADEWIND_STRATEGY_ACCOUNT_ID")
        return []
    try:
        strategy = load_strategy(settings.strategy)
    except StrategyNotFound as error:
        status.cannot_load(str(error))
        _log.error("no strategy runs", error=str(error))
        return []
    lease = PostgresLease(settings.database_url, f"strategy {settings.strategy_account_id}")
    assignment = Assignment(
        account_id=settings.strategy_account_id,
        symbols=symbols_in(settings.strategy_symbols),
        timeframe=str(Timeframe.parse(settings.strategy_timeframe)),
    )
    sending = Sending(
        reply_to=reply_to, deadline_ms=settings.command_deadline_ms, may_act=lambda: lease.is_held
    )

    async def run_strategy() -> None:
        await StrategyRunner(strategy, assignment, links, sending, status).run()

    return [partial(run_while_leading, lease, run_strategy, status.stands_by)]


async def _until_stopped(work: Sequence[Callable[[], Awaitable[None]]], stop: asyncio.Event) -> None:
    tasks = [asyncio.ensure_future(start()) for start in work]
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((stopping, *tasks), return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        stopping.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(stopping, *tasks, return_exceptions=True)


async def _check_postgres(engine: AsyncEngine) -> str | None:
    try:
        async with reading(engine) as connection:
            await connection.execute(text("SELECT 1"))
    except StoreUnavailable as error:
        return str(error)
    return None


async def _check_redis(redis: Redis) -> str | None:
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        return f"Redis cannot be reached: {error}"
    return None
