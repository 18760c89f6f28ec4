"""Returns, drawdowns and ratios against hand-computed figures and against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.performance.drawdown import current_drawdown, drawdowns, maximum_drawdown
from tradewind.domain.performance.ratios import sharpe_ratio, sortino_ratio, volatility
from tradewind.domain.performance.returns import growth_index, time_weighted_returns, total_return

equities = st.lists(st.floats(0.01, 1e8), min_size=1, max_size=60).map(np.array)
some_returns = st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=60).map(np.array)


def test_a_deposit_is_not_a_return() -> None:
    equity = np.array([100.0, 110.0, 210.0, 189.0])
    flows = np.array([100.0, 0.0, 100.0, 0.0])
    returns = time_weighted_returns(equity, flows)
    assert returns == pytest.approx([0.10, 0.0, -0.10])
    assert total_return(returns) == pytest.approx(-0.01)


def test_no_return_without_equity() -> None:
    returns = time_weighted_returns(np.array([0.0, 100.0, 105.0]), np.array([0.0, 100.0, 0.0]))
    assert math.isnan(returns[0])
    assert total_return(returns) == pytest.approx(0.05)
    assert total_return(time_weighted_returns(np.zeros(3), np.zeros(3))) is None
    assert total_return(time_weighted_returns(np.ones(1), np.zeros(1))) is None


@given(equities)
def test_linked_returns_are_the_change_of_equity_when_nothing_is_paid_in(equity: np.ndarray) -> None:
    returns = time_weighted_returns(equity, np.zeros(len(equity)))
    assert growth_index(returns) == pytest.approx(equity / equity[0], rel=1e-4)


def test_the_deepest_fall_and_its_recovery() -> None:
    values = np.array([100.0, 120.0, 90.0, 100.0, 60.0, 119.0, 120.0, 110.0])
    deepest = maximum_drawdown(values, range(0, 80, 10))
    assert deepest is not None
    assert deepest.depth == pytest.approx(-0.5)
    assert (deepest.peak_at_ns, deepest.trough_at_ns, deepest.recovered_at_ns) == (10, 40, 60)
    assert current_drawdown(values) == pytest.approx(110 / 120 - 1)


def test_a_fall_that_is_not_made_good_has_no_recovery() -> None:
    deepest = maximum_drawdown(np.array([100.0, 80.0, 99.0]), [1, 2, 3])
    assert deepest is not None
    assert deepest.recovered_at_ns is None


def test_what_never_falls_has_no_drawdown() -> None:
    assert maximum_drawdown(np.array([1.0, 1.0, 2.0]), [1, 2, 3]) is None
    assert maximum_drawdown(np.array([]), []) is None
    assert current_drawdown(np.array([])) == 0


@given(equities)
def test_drawdowns_lie_between_minus_one_and_zero(values: np.ndarray) -> None:
    depths = drawdowns(values)
    assert (depths <= 0).all()
    assert (depths >= -1).all()
    deepest = maximum_drawdown(values, range(len(values)))
    naive = min(
        (values[j] / values[i] - 1 for i in range(len(values)) for j in range(i, len(values))), default=0.0
    )
    assert (deepest.depth if deepest else 0.0) == pytest.approx(naive)


@given(some_returns, st.sampled_from([252.0, 365.25, 12.0]))
def test_sharpe_is_its_definition(returns: np.ndarray, periods_per_year: float) -> None:
    ratio = sharpe_ratio(returns, periods_per_year)
    if np.ptp(returns) == 0:
        assert ratio is None
    elif np.ptp(returns) > 1e-9:
        assert ratio == pytest.approx(returns.mean() / returns.std(ddof=1) * periods_per_year**0.5)


def test_hand_computed_ratios() -> None:
    returns = np.array([0.01, -0.02, 0.03, 0.0])
    # mean 0.005; squared deviations 0.000025 + 0.000625 + 0.000625 + 0.000025 = 0.0013
    deviation = math.sqrt(0.0013 / 3)
    assert volatility(returns, 252) == pytest.approx(deviation * math.sqrt(252))
    assert sharpe_ratio(returns, 252) == pytest.approx(0.005 / deviation * math.sqrt(252))
    assert sharpe_ratio(returns, 252, 0.001) == pytest.approx(0.004 / deviation * math.sqrt(252))
    assert sortino_ratio(returns, 252) == pytest.approx(0.005 / 0.01 * math.sqrt(252))


@pytest.mark.parametrize("returns", [[], [0.01], [0.01, 0.01, 0.01], [0.1 + 0.2, 0.1 + 0.2]])
def test_ratios_are_none_where_they_are_not_defined(returns: list[float]) -> None:
    assert sharpe_ratio(np.array(returns), 252) is None
    assert sortino_ratio(np.array(returns), 252) is None


@given(some_returns)
def test_ratios_are_never_nan_or_infinite(returns: np.ndarray) -> None:
    for value in (sharpe_ratio(returns, 252), sortino_ratio(returns, 252), volatility(returns, 252)):
        assert value is None or math.isfinite(value)
