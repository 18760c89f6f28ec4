"""Keeps finished bars until the bar store has them: bounded, and surviving a store that is away."""

import asyncio
import random
from collections.abc import Iterable
from contextlib import suppress

from tradewind.domain.market.ticks import Bar
from tradewind.operations.backoff import Backoff
from tradewind.operations.logging import get_logger
from tradewind.operations.metrics import BAR_SPOOL_BYTES, BARS_DROPPED, BARS_SPOOLED, BARS_STORED
from tradewind.ports.bar_backlog import BarBacklog
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.market_data import BarStore

WRITE_BARS_MAX = 1_000
"""Bars in one write."""
DRAIN_TIMEOUT_S = 2.0
"""How long `drain` tries at the end."""

_log = get_logger(__name__)


class BarSpool:
    """Bars on their way to a store, oldest first. At the backlog's bound the oldest are dropped, logged and counted."""

    def __init__(self, store: BarStore, backlog: BarBacklog) -> None:
        self._store = store
        self._backlog = backlog
        self._has_bars = asyncio.Event()

    def __len__(self) -> int:
        return len(self._backlog)

    def add(self, bars: Iterable[Bar]) -> None:
        """Take bars in; never waits."""
        dropped = self._backlog.append(bars)
        if dropped:
            BARS_DROPPED.inc(dropped)
            _log.error("bar spool is full, oldest bars dropped", dropped=dropped, kept=len(self._backlog))
        self._tell()

    async def run(self) -> None:
        """Write bars as they come, those of an earlier run first, until cancelled."""
        backoff = Backoff(initial_s=0.2, maximum_s=5.0, factor=2.0, source=random.Random())  # noqa: S311
        self._tell()
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
                    waiting=len(self._backlog),
                    retry_in_s=round(delay_s, 2),
                )
                await asyncio.sleep(delay_s)

    async def drain(self) -> None:
        """Try to write everything within `DRAIN_TIMEOUT_S`."""
        with suppress(TimeoutError, StoreUnavailable):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                while len(self._backlog):
                    await self._write_some()

    def close(self) -> None:
        """Leave what waits to the next run; says what cannot wait so long."""
        waiting = len(self._backlog)
        lost = self._backlog.close()
        if lost:
            BARS_DROPPED.inc(lost)
            _log.error("bars not stored", lost=lost)
        elif waiting:
            _log.warning("bars wait on disk for the next run", waiting=waiting)
        BARS_SPOOLED.set(0)
        BAR_SPOOL_BYTES.set(0)
        self._has_bars.clear()

    async def _write_some(self) -> None:
        batch = self._backlog.oldest(WRITE_BARS_MAX)
        await self._store.write_bars(batch)
        # While we waited the oldest may have been dropped: the backlog knows what is still there.
        self._backlog.forget_oldest()
        BARS_STORED.inc(len(batch))
        self._tell()

    def _tell(self) -> None:
        waiting = len(self._backlog)
        BARS_SPOOLED.set(waiting)
        BAR_SPOOL_BYTES.set(self._backlog.size_bytes)
        if waiting:
            self._has_bars.set()
        else:
            self._has_bars.clear()
