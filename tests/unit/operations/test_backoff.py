"""Delays between attempts to reconnect."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.operations.backoff import Backoff


@given(st.integers(), st.floats(0.01, 1), st.floats(1, 60), st.floats(1, 4))
def test_delays_stay_within_their_bounds(
    seed: int, initial_s: float, maximum_s: float, factor: float
) -> None:
    backoff = Backoff(initial_s, maximum_s, factor, random.Random(seed))
    ceiling_s = initial_s
    for _ in range(20):
        assert ceiling_s / 2 <= backoff.next_delay_s() <= ceiling_s <= maximum_s
        ceiling_s = min(maximum_s, ceiling_s * factor)
    backoff.reset()
    assert backoff.next_delay_s() <= initial_s


def test_the_same_seed_gives_the_same_delays() -> None:
    first, second = (Backoff(0.1, 5, 2, random.Random(7)) for _ in range(2))
    assert [first.next_delay_s() for _ in range(8)] == [second.next_delay_s() for _ in range(8)]


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="initial_s"):
        Backoff(2, 1, 2, random.Random(1))
