"""Keeps finished bars until the bar store has them: bounded, and surviving a store that is away."""

import asyncio
import random
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from tradewind.domain.market.ticks import Bar
from tradewind.operations.backoff import Backoff
from tradewind.operations.logging import get_logger
from tradewind.operations.metrics import BARS_DROPPED, BARS_SPOOLED, BARS_STORED
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.market_data import BarStore

SPOOLED_BARS_MAX = 50_000
"""Bars that wait for the store: days of a dozen symbols. At the bound the oldest are dropped, logged and counted."""
WRITE_BARS_MAX = 1_000
"""Bars in one write."""
DRAIN_TIMEOUT_S = 2.0
"""How long `drain` tries at the end."""

_log = get_logger(__name__)


class BarSpool:
    """Bars on their way to a store."""

    def __init__(self, store: BarStore, spooled_bars_max: int = SPOOLED_BARS_MAX) -> None:
        self._store = store
        self._spooled_bars_max = spooled_bars_max
        self._bars: deque[Bar] = deque()
        self._has_bars = asyncio.Event()

    def __len__(self) -> int:
        return len(self._bars)

    def add(self, bars: Iterable[Bar]) -> None:
        """Take bars in; never waits."""
        self._bars.extend(bars)
        excess = len(self._bars) - self._spooled_bars_max
        if excess > 0:
            for _ in range(excess):
                self._bars.popleft()
            BARS_DROPPED.inc(excess)
            _log.error("bar spool is full, oldest bars dropped", dropped=excess, kept=self._spooled_bars_max)
        BARS_SPOOLED.set(len(self._bars))
        if self._bars:
            self._has_bars.set()

    async def run(self) -> None:
        """Write bars as they come, until cancelled."""
        backoff = Backoff(initial_s=0.2, maximum_s=5.0, factor=2.0, source=random.Random())  # noqa: S311
        while True:
            await self._has_bars.wait()
            try:
                await self._write_some()
                backoff.reset()
            except StoreUnavailable as error:
                delay_s = backoff.next_delay_s()
                _log.warning(
                    "bars wait for the store",
                    error=str(error),
                    waiting=len(self._bars),
                    retry_in_s=round(delay_s, 2),
                )
                await asyncio.sleep(delay_s)

    async def drain(self) -> None:
        """Try to write everything within `DRAIN_TIMEOUT_S`; says so when it could not."""
        with suppress(TimeoutError, StoreUnavailable):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                while self._bars:
                    await self._write_some()
        if self._bars:
            _log.error("bars not stored", lost=len(self._bars))

    async def _write_some(self) -> None:
        batch = [self._bars[place] for place in range(min(len(self._bars), WRITE_BARS_MAX))]
        await self._store.write_bars(batch)
        # While we waited the oldest may have been dropped: take out exactly what was written and is still there.
        written = set(map(id, batch))
        while self._bars and id(self._bars[0]) in written:
            self._bars.popleft()
        BARS_STORED.inc(len(batch))
        BARS_SPOOLED.set(len(self._bars))
        if not self._bars:
            self._has_bars.clear()
