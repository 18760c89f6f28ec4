"""Bars that wait in memory: they are lost with the process."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice

from tradewind.domain.market.ticks import Bar

WAITING_BARS_MAX = 50_000
"""Days of a dozen symbols."""


class MemoryBarBacklog:
    """Implements `tradewind.ports.bar_backlog.BarBacklog`."""

    def __init__(self, waiting_bars_max: int = WAITING_BARS_MAX) -> None:
        self._waiting_bars_max = waiting_bars_max
        self._bars: deque[Bar] = deque()
        self._lent: Sequence[Bar] = ()

    def __len__(self) -> int:
        return len(self._bars)

    @property
    def size_bytes(self) -> int:
        """Nothing is on disk."""
        return 0

    def append(self, bars: Iterable[Bar]) -> int:
        """Take bars in; returns how many old ones were given up for them."""
        self._bars.extend(bars)
        excess = max(0, len(self._bars) - self._waiting_bars_max)
        for _ in range(excess):
            self._bars.popleft()
        return excess

    def oldest(self, count: int) -> Sequence[Bar]:
        """At most `count` bars from the old end."""
        self._lent = list(islice(self._bars, count))
        return self._lent

    def forget_oldest(self) -> None:
        """Drop what `oldest` gave last and is still there."""
        lent = set(map(id, self._lent))
        while self._bars and id(self._bars[0]) in lent:
            self._bars.popleft()
        self._lent = ()

    def close(self) -> int:
        """All that wait are lost."""
        lost = len(self._bars)
        self._bars.clear()
        return lost
