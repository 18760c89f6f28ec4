"""An order service's surroundings for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.orders.trading_floor import Floor, trading_floor
from tests.servers import RedisAddress
from tradewind.services.orders import tenure


@pytest.fixture
async def floor(
    database_url: str, redis_flushed: RedisAddress, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Floor]:
    monkeypatch.setattr(tenure, "TICK_S", 0.05)
    async with trading_floor(database_url, redis_flushed) as floor:
        yield floor
