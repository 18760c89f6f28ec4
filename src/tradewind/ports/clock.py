"""Where time comes from."""

from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        ...
