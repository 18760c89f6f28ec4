"""How long a request takes to reach the simulated venue."""

from typing import Protocol

import msgspec


class LatencyPolicy(Protocol):
    """Decides when a request (an order, a cancel, a replace) reaches the venue."""

    def arrival_ns(self, now_ns: int) -> int:
        """When a request sent at `now_ns` arrives: `now_ns` or later. Requests never overtake each other."""
        ...


class NoLatency(msgspec.Struct, frozen=True):
    """Requests arrive at once."""

    def arrival_ns(self, now_ns: int) -> int:
        """`now_ns` itself."""
        return now_ns


class FixedLatency(msgspec.Struct, frozen=True):
    """Every request takes `latency_ns` (>= 0)."""

    latency_ns: int

    def __post_init__(self) -> None:
        if self.latency_ns < 0:
            raise ValueError(f"latency_ns: {self.latency_ns} is not allowed (allowed: 0 or more)")

    def arrival_ns(self, now_ns: int) -> int:
        """`latency_ns` after `now_ns`."""
        return now_ns + self.latency_ns
