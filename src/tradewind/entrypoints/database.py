"""Makes a database ready for this version: its schema, and the instruments that can be traded."""

import asyncio

from tradewind.adapters.postgres import migrate
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.instruments import seed_instruments
from tradewind.adapters.postgres.restored import begin_anew, require_no_services
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.redis.forgetting import forget_orders
from tradewind.domain.market.universe import default_universe


def prepare_database(database_url: str) -> None:
    """Run the migrations and add missing instruments; what is there stays as it is. Blocks. Safe to call again."""
    migrate.upgrade(database_url)
    asyncio.run(_seed(database_url))


def accept_restored(database_url: str, redis_address: RedisAddress) -> int:
    """Make a restored database safe to start on; how many streams were emptied. Blocks. Safe to call again.

    Raises `ServicesRunning`, `StoreUnavailable`, `BusUnavailable`; services still refuse to start then.
    """
    return asyncio.run(_accept_restored(database_url, redis_address))


async def _accept_restored(database_url: str, redis_address: RedisAddress) -> int:
    await require_no_services(database_url)
    redis = connect(redis_address)
    try:
        emptied = await forget_orders(redis)
    finally:
        await redis.aclose()
    await begin_anew(database_url)
    return emptied


async def _seed(database_url: str) -> None:
    engine = create_engine(database_url)
    try:
        await seed_instruments(engine, default_universe())
    finally:
        await engine.dispose()
