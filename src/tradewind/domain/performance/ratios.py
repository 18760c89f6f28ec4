"""Ratios of return to risk, annualised. None wherever a ratio is not defined; never NaN or infinite.

`periods_per_year` says how many of the periods that `returns` measures make a year: 365.25 for calendar days,
252 for trading days. Periods without a return (NaN) must be left out by the caller.
"""

import math

import numpy as np

from tradewind.domain.performance.returns import Floats

RETURNS_MIN = 2
"""A sample standard deviation needs two returns."""


def volatility(returns: Floats, periods_per_year: float) -> float | None:
    """Annualised sample standard deviation (n - 1 in the denominator): std(r) * sqrt(periods per year)."""
    if len(returns) < RETURNS_MIN:
        return None
    return _finite(float(np.std(returns, ddof=1)) * math.sqrt(periods_per_year))


def sharpe_ratio(
    returns: Floats, periods_per_year: float, risk_free_return_per_period: float = 0.0
) -> float | None:
    """Annualised Sharpe ratio: mean(r - f) / std(r - f) * sqrt(periods per year), sample deviation (n - 1).

    Sharpe, The Sharpe Ratio, Journal of Portfolio Management 21 (1), 1994. None when all returns are equal.
    """
    if len(returns) < RETURNS_MIN or np.ptp(returns) == 0:
        return None
    excess = returns - risk_free_return_per_period
    deviation = float(np.std(excess, ddof=1))
    if deviation == 0:  # differences too small to square
        return None
    return _finite(float(np.mean(excess)) / deviation * math.sqrt(periods_per_year))


def sortino_ratio(
    returns: Floats, periods_per_year: float, target_return_per_period: float = 0.0
) -> float | None:
    """Annualised Sortino ratio: mean(r - T) / sqrt(mean(min(r - T, 0)^2)) * sqrt(periods per year).

    Sortino and Price, Performance Measurement in a Downside Risk Framework, Journal of Investing 3 (3),
    1994. The downside deviation is over all periods. None when no return fell short of the target.
    """
    if len(returns) < RETURNS_MIN:
        return None
    excess = returns - target_return_per_period
    downside = math.sqrt(np.mean(np.minimum(excess, 0) ** 2))
    if downside == 0:
        return None
    return _finite(float(np.mean(excess)) / downside * math.sqrt(periods_per_year))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
