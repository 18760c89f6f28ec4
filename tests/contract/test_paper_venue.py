"""The paper venue keeps the port's promises, with and without latency."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.contract.venue_contract import VenueContract
from tests.venue_scenarios import MS, quote, rules
from tradewind.adapters.memory.market_data import MemoryMarketData
from tradewind.adapters.system.clock import SystemClock
from tradewind.adapters.system.ids import Uuid7Source
from tradewind.adapters.venues.paper import PaperVenue
from tradewind.engine.venue_policies.latency import FixedLatency, LatencyPolicy, NoLatency


class _PaperBench:
    def __init__(self, latency: LatencyPolicy) -> None:
        self._latency = latency
        self._market_data = MemoryMarketData()
        self.venue = self._new_venue()

    def _new_venue(self) -> PaperVenue:
        return PaperVenue(
            rules=rules(latency=self._latency),
            market_data=self._market_data,
            clock=SystemClock(),
            ids=Uuid7Source(),
        )

    async def market_shows(self, bid: str, ask: str) -> None:
        await self._market_data.publish([quote(bid, ask)])
        await asyncio.sleep(0)  # the subscriber wakes
        await asyncio.sleep(0)  # and the venue takes the batch

    async def restart(self) -> None:
        await self.venue.close()
        self.venue = self._new_venue()
        await self.venue.start()


@pytest.fixture(params=[NoLatency(), FixedLatency(2 * MS)], ids=["no latency", "2 ms"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[_PaperBench]:
    paper = _PaperBench(request.param)
    await paper.venue.start()
    await paper.market_shows("9.99x300", "10.01x200")
    yield paper
    await paper.venue.close()


class TestPaperVenue(VenueContract):
    """The suite runs on the fixture above."""
