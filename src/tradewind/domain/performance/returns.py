"""Returns: what each period earned, free of deposits and withdrawals."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def time_weighted_returns(equity: Floats, external_flows: Floats) -> Floats:
    """Return of each period between the points of an equity curve; one shorter than `equity`.

    r_t = (E_t - F_t) / E_{t-1} - 1, where F_t is what was deposited less what was withdrawn in (t-1, t],
    taken as arriving at the period's end (time-weighted return, Bacon, Practical Portfolio Performance
    Measurement and Attribution, 2nd ed. 2008, chapter 2). `external_flows[t]` is F_t; its first element is
    not used. NaN where there was no equity to earn on (E_{t-1} <= 0).
    """
    if equity.shape != external_flows.shape:
        raise ValueError("equity and external_flows need one element for each point")
    before = equity[:-1]
    returns = np.full(max(len(equity) - 1, 0), np.nan)
    np.divide(equity[1:] - external_flows[1:], before, out=returns, where=before > 0)
    return returns - 1


def growth_index(returns: Floats) -> Floats:
    """What one unit of money became: 1, then the running product of 1 + r_t. A NaN return changes nothing."""
    return np.concatenate(([1.0], np.cumprod(1 + np.nan_to_num(returns, nan=0.0))))


def total_return(returns: Floats) -> float | None:
    """Linked return of all periods, prod(1 + r_t) - 1; None when no period has a return."""
    if np.isnan(returns).all():
        return None
    return float(growth_index(returns)[-1] - 1)
