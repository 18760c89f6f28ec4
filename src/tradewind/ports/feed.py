"""A source of market data."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from tradewind.domain.market.ticks import MarketEvent


class Feed(Protocol):
    """Produces quotes and trades in the order of their time, in real time (or faster, for a replay)."""

    @property
    def name(self) -> str:
        """What it is, for logs and metrics."""
        ...

    def stream(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Batches of events until the feed ends (a simulated market never does)."""
        ...
