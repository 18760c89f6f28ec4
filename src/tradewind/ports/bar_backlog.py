"""Where finished bars wait until their store has them."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from tradewind.domain.market.ticks import Bar


class BarBacklog(Protocol):
    """A bounded first-in first-out list of bars with one user. It opens at the first call."""

    def __len__(self) -> int:
        """How many bars wait."""
        ...

    @property
    def size_bytes(self) -> int:
        """What they take on disk."""
        ...

    def append(self, bars: Iterable[Bar]) -> int:
        """Take bars in; never waits, never fails. At the bound the oldest are given up: returns how many."""
        ...

    def oldest(self, count: int) -> Sequence[Bar]:
        """At most `count` bars from the old end; none when none waits."""
        ...

    def forget_oldest(self) -> None:
        """What `oldest` gave last is stored: drop it, as far as it was not given up meanwhile."""
        ...

    def close(self) -> int:
        """End the use; returns how many bars are lost with it. What is kept waits for the next user."""
        ...
