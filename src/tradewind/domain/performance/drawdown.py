"""Drawdowns: how far below its last peak an account fell, and for how long."""

from collections.abc import Sequence

import msgspec
import numpy as np

from tradewind.domain.performance.returns import Floats


class Drawdown(msgspec.Struct, frozen=True, kw_only=True):
    """One fall from a peak. `depth` is a fraction of the peak, 0 or negative: -0.25 is a quarter below.

    `recovered_at_ns` is when the peak was reached again, None while it was not.
    """

    depth: float
    peak_at_ns: int
    trough_at_ns: int
    recovered_at_ns: int | None


def drawdowns(values: Floats) -> Floats:
    """Distance from the highest so far, V_t / max(V_0..V_t) - 1; in [-1, 0] for positive values."""
    return values / np.maximum.accumulate(values) - 1


def maximum_drawdown(values: Floats, times_ns: Sequence[int]) -> Drawdown | None:
    """The deepest fall of `values` (positive at first) from a peak; None when they never fell.

    min_t (V_t / max_{s<=t} V_s - 1): Magdon-Ismail and Atiya, Maximum Drawdown, Risk 17 (10), 2004. Of
    equally deep falls the first counts.
    """
    if len(values) != len(times_ns):
        raise ValueError("values and times_ns need one element for each point")
    depths = drawdowns(values)
    if not len(depths) or depths.min() >= 0:
        return None
    trough = int(depths.argmin())
    peak = int(values[: trough + 1].argmax())
    recoveries = np.flatnonzero(values[trough:] >= values[peak])
    return Drawdown(
        depth=float(depths[trough]),
        peak_at_ns=times_ns[peak],
        trough_at_ns=times_ns[trough],
        recovered_at_ns=times_ns[trough + int(recoveries[0])] if len(recoveries) else None,
    )


def current_drawdown(values: Floats) -> float:
    """Distance of the last value from the highest; 0 at a peak or without values."""
    return float(drawdowns(values)[-1]) if len(values) else 0.0
