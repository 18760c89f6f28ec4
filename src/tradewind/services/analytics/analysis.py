"""Answers the three questions of the service from the books and the prices."""

from collections import deque
from datetime import timedelta

import numpy as np

from tradewind.domain.accounts.account import Account
from tradewind.domain.decimals import ZERO, format_decimal
from tradewind.domain.identifiers import AccountId
from tradewind.domain.market.timeframe import NS_PER_S, Timeframe
from tradewind.domain.performance.drawdown import current_drawdown, maximum_drawdown
from tradewind.domain.performance.equity_curve import EquityCurve, EquityPoint
from tradewind.domain.performance.ratios import sharpe_ratio, sortino_ratio, volatility
from tradewind.domain.performance.returns import Floats, growth_index, time_weighted_returns, total_return
from tradewind.domain.performance.trade_statistics import TradeStatistics
from tradewind.domain.performance.trades import RoundTrip, RoundTripBook
from tradewind.ports.clock import Clock
from tradewind.ports.market_data import BarStore
from tradewind.ports.trading_queries import TradingQueries
from tradewind.services.analytics.answers import (
    CurvePoint,
    DrawdownAnswer,
    EquityCurveAnswer,
    PerformanceAnswer,
    TradesAnswer,
    trade_answer,
)
from tradewind.services.analytics.errors import AccountNotFound
from tradewind.services.analytics.history import EXTERNAL_KINDS, read_fills, read_other_cash
from tradewind.services.analytics.period import Period, RequestedPeriod, resolve_period, to_datetime
from tradewind.services.analytics.prices import PriceHistory

YEAR = timedelta(days=365.25)


class _Collected:
    """What the executions of a period amount to."""

    def __init__(self, period: Period, curve: EquityCurve, newest_max: int) -> None:
        self.period = period
        self.curve = curve
        self.statistics = TradeStatistics()
        self.newest: deque[RoundTrip] = deque(maxlen=newest_max)
        self.fees = ZERO


class Analytics:
    """Reads only: the account's books through `queries`, prices through `bars`."""

    def __init__(self, queries: TradingQueries, bars: BarStore, clock: Clock) -> None:
        self._queries = queries
        self._clock = clock
        self._prices = PriceHistory(bars, clock)

    async def performance(self, account_id: AccountId, requested: RequestedPeriod) -> PerformanceAnswer:
        """The account's figures.

        Raises `AccountNotFound`, `InvalidParameter`, `TooMuchHistory`, `StoreUnavailable`.
        """
        account = await self._account(account_id)
        collected = await self._collect(account, requested, newest_max=0)
        points = await self._value(collected)
        return _performance(account, collected, points)

    async def equity_curve(self, account_id: AccountId, requested: RequestedPeriod) -> EquityCurveAnswer:
        """The account's equity over time. Raises as `performance`."""
        account = await self._account(account_id)
        collected = await self._collect(account, requested, newest_max=0)
        points = await self._value(collected)
        growth = growth_index(_returns(points))
        return EquityCurveAnswer(
            account_id=account.account_id,
            currency=account.currency,
            timeframe=str(collected.period.timeframe),
            points=[
                CurvePoint(
                    time=to_datetime(point.ts_ns),
                    equity=format_decimal(point.equity),
                    cash=format_decimal(point.cash),
                    net_deposit=format_decimal(point.external_flow if index else ZERO),
                    total_return=float(growth[index] - 1),
                )
                for index, point in enumerate(points)
            ],
        )

    async def trades(self, account_id: AccountId, requested: RequestedPeriod, limit: int) -> TradesAnswer:
        """The newest `limit` round trips that ended in the period. Raises as `performance`."""
        account = await self._account(account_id)
        collected = await self._collect(account, requested, newest_max=limit)
        return TradesAnswer(
            account_id=account.account_id,
            currency=account.currency,
            count=collected.statistics.count,
            trades=[trade_answer(trip) for trip in reversed(collected.newest)],
        )

    async def _account(self, account_id: AccountId) -> Account:
        account = await self._queries.account(account_id)
        if account is None:
            raise AccountNotFound(account_id)
        return account

    async def _collect(self, account: Account, requested: RequestedPeriod, *, newest_max: int) -> _Collected:
        period = resolve_period(requested, account.created_at_ns, self._clock.now_ns())
        movements = await read_other_cash(self._queries, account.account_id, period.end_ns + 1)
        flows = [movement for movement in movements if movement.kind in EXTERNAL_KINDS]
        if flows and flows[0].ts_ns > period.start_ns:
            # Nothing is earned before the first money is there: returns are measured from then on.
            period = Period(start_ns=flows[0].ts_ns, end_ns=period.end_ns, timeframe=period.timeframe)
        collected = _Collected(period, EquityCurve(period.times_ns()), newest_max)
        for movement in movements:
            if movement.kind in EXTERNAL_KINDS:
                collected.curve.add_external_flow(movement.ts_ns, movement.amount)
            else:
                collected.curve.add_internal_cash(movement.ts_ns, movement.amount)
        book = RoundTripBook()
        async for fill in read_fills(self._queries, account.account_id, period.end_ns + 1):
            collected.curve.add_fill(fill)
            trip = book.book(fill)
            if fill.ts_ns < period.start_ns:
                continue
            collected.fees += fill.fee
            if trip is not None:
                collected.statistics.add(trip)
                collected.newest.append(trip)
        return collected

    async def _value(self, collected: _Collected) -> list[EquityPoint]:
        curve = collected.curve
        closes = await self._prices.closes(curve.held_symbols(), curve.times_ns, collected.period.timeframe)
        return curve.points(closes)


def _returns(points: list[EquityPoint]) -> Floats:
    equity = np.array([float(point.equity) for point in points])
    flows = np.array([float(point.external_flow) for point in points])
    return time_weighted_returns(equity, flows)


def _whole_periods(returns: Floats, times_ns: list[int], timeframe: Timeframe) -> Floats:
    # Ratios compare like with like: the first and last period may be shorter.
    lengths_ns = np.diff(np.array(times_ns, dtype=np.int64))
    whole: Floats = returns[(lengths_ns == timeframe.duration_ns) & ~np.isnan(returns)]
    return whole


def _performance(account: Account, collected: _Collected, points: list[EquityPoint]) -> PerformanceAnswer:
    period, statistics = collected.period, collected.statistics
    returns = _returns(points)
    whole = _whole_periods(returns, collected.curve.times_ns, period.timeframe)
    periods_per_year = YEAR.total_seconds() * NS_PER_S / period.timeframe.duration_ns
    growth = growth_index(returns)
    deepest = maximum_drawdown(growth, collected.curve.times_ns)
    has_return = total_return(returns) is not None
    deposited = sum((point.external_flow for point in points[1:]), ZERO)
    return PerformanceAnswer(
        account_id=account.account_id,
        currency=account.currency,
        start=to_datetime(period.start_ns),
        end=to_datetime(period.end_ns),
        timeframe=str(period.timeframe),
        equity=format_decimal(points[-1].equity),
        cash=format_decimal(points[-1].cash),
        start_equity=format_decimal(points[0].equity),
        net_deposits=format_decimal(deposited),
        profit=format_decimal(points[-1].equity - points[0].equity - deposited),
        total_return=total_return(returns),
        max_drawdown=(deepest.depth if deepest else 0.0) if has_return else None,
        max_drawdown_details=DrawdownAnswer.of(deepest) if deepest else None,
        current_drawdown=current_drawdown(growth) if has_return else None,
        sharpe=sharpe_ratio(whole, periods_per_year),
        sortino=sortino_ratio(whole, periods_per_year),
        volatility=volatility(whole, periods_per_year),
        returns_measured=len(whole),
        periods_per_year=periods_per_year,
        trades=statistics.count,
        win_rate=statistics.win_rate,
        profit_factor=statistics.profit_factor,
        fees=format_decimal(collected.fees),
    )
