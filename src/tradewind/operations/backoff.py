"""Growing, jittered delays between attempts to reach something that is down."""

import random


class Backoff:
    """Delays that grow by `factor` from `initial_s` to `maximum_s`, each drawn from its upper half.

    The jitter keeps many clients from coming back at the same instant. The random source is passed in, so a
    test or a simulation with a seed sees the same delays again.
    """

    def __init__(self, initial_s: float, maximum_s: float, factor: float, source: random.Random) -> None:
        if not (0 < initial_s <= maximum_s and factor >= 1):
            raise ValueError("a back-off needs 0 < initial_s <= maximum_s and factor >= 1")
        self._initial_s = initial_s
        self._maximum_s = maximum_s
        self._factor = factor
        self._source = source
        self._next_s = initial_s

    def next_delay_s(self) -> float:
        """How long to wait before the next attempt, seconds."""
        ceiling_s = self._next_s
        self._next_s = min(self._maximum_s, ceiling_s * self._factor)
        return ceiling_s * self._source.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin anew: the last attempt succeeded."""
        self._next_s = self._initial_s
