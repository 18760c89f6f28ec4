"""Stores longer bars made of the shorter ones that are stored: long charts then read little, and short bars may go."""

from collections.abc import Sequence

import msgspec

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.downsampling import downsampled
from tradewind.domain.market.ticks import Bar
from tradewind.domain.market.timeframe import Timeframe
from tradewind.ports.market_data import BarStore

PAGE_BARS = 10_000
"""Bars read at once, or as many as one longer bar is made of."""
PARTS_MAX = 100_000
"""Of more bars than this no longer bar is made: go in two steps."""


class Downsampling(msgspec.Struct, frozen=True, kw_only=True):
    """Make bars of `into` of the stored bars of `timeframe`. Raises `ValueError` when they do not fit into each other."""

    symbol: Symbol
    timeframe: Timeframe
    into: Timeframe

    def __post_init__(self) -> None:
        short_ns, long_ns = self.timeframe.duration_ns, self.into.duration_ns
        if long_ns <= short_ns or long_ns % short_ns:
            raise ValueError(f"bars of {self.timeframe} do not make up bars of {self.into}")
        if self.parts > PARTS_MAX:
            raise ValueError(f"{self.parts} bars of {self.timeframe} in one of {self.into}: go in two steps")

    @property
    def parts(self) -> int:
        """Most shorter bars in a longer one."""
        return self.into.duration_ns // self.timeframe.duration_ns


async def downsample(store: BarStore, wanted: Downsampling, start_ns: int, end_ns: int) -> int:
    """Store the longer bars that lie wholly in `[start_ns, end_ns)`; returns how many. Raises `StoreUnavailable`.

    Repeating it changes nothing; after a correction of the shorter bars it puts the longer ones right.
    """
    into = wanted.into
    next_ns = into.start_of(start_ns + into.duration_ns - 1)
    stop_ns = into.start_of(end_ns)
    page_bars = max(PAGE_BARS, wanted.parts + 1)
    count = 0
    while next_ns < stop_ns:
        page = await store.read_bars(wanted.symbol, str(wanted.timeframe), next_ns, stop_ns, page_bars)
        if len(page) == page_bars:
            page, next_ns = _whole(page, into)
        else:
            next_ns = stop_ns
        bars = downsampled(page, into)
        await store.write_bars(bars)
        count += len(bars)
    return count


def _whole(page: Sequence[Bar], into: Timeframe) -> tuple[list[Bar], int]:
    """The page without the longer bar that it ends in, and where to read on."""
    next_ns = into.start_of(page[-1].start_ns)
    return [bar for bar in page if bar.start_ns < next_ns], next_ns
