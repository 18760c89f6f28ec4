"""The simulated market in real time."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from tradewind.domain.market.ticks import MarketEvent
from tradewind.domain.market.timeframe import NS_PER_S
from tradewind.engine.market_simulation import MarketSimulation
from tradewind.operations.logging import get_logger
from tradewind.ports.clock import Clock

STEP_S = 0.02
"""Events are handed on at this rhythm, so they are at most this late."""
CATCH_UP_MAX_S = 5.0
"""After a longer pause (a suspended machine) the market goes on from now instead of producing what was missed."""

_log = get_logger(__name__)


class SimulatedFeed:
    """Paces a `MarketSimulation` by the clock; it never ends."""

    def __init__(self, simulation: MarketSimulation, clock: Clock) -> None:
        self._simulation = simulation
        self._clock = clock

    @property
    def name(self) -> str:
        """`simulated`."""
        return "simulated"

    async def stream(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Batches of what happened since the last one."""
        previous_ns = self._clock.now_ns()
        while True:
            now_ns = self._clock.now_ns()
            if now_ns - previous_ns > CATCH_UP_MAX_S * NS_PER_S:
                _log.warning("simulated market skips a pause", pause_s=(now_ns - previous_ns) / NS_PER_S)
                self._simulation.skip_to(now_ns)
            previous_ns = now_ns
            events = self._simulation.step(now_ns)
            if events:
                yield events
            await asyncio.sleep(STEP_S)
