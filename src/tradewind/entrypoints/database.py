"""Makes a database ready for this version: its schema, and the instruments that can be traded."""

import asyncio

from tradewind.adapters.postgres import migrate
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.instruments import seed_instruments
from tradewind.domain.market.universe import default_universe


def prepare_database(database_url: str) -> None:
    """Run the migrations and add missing instruments; what is there stays as it is. Blocks. Safe to call again."""
    migrate.upgrade(database_url)
    asyncio.run(_seed(database_url))


async def _seed(database_url: str) -> None:
    engine = create_engine(database_url)
    try:
        await seed_instruments(engine, default_universe())
    finally:
        await engine.dispose()
