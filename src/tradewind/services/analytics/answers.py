"""The bodies of the answers. Money, prices and quantities are strings; ratios are numbers or null."""

from datetime import datetime
from typing import Literal, Self

import msgspec

from tradewind.domain.decimals import format_decimal
from tradewind.domain.market.timeframe import NS_PER_S
from tradewind.domain.orders.terms import Side
from tradewind.domain.performance.drawdown import Drawdown
from tradewind.domain.performance.trades import RoundTrip
from tradewind.services.analytics.period import to_datetime


class DrawdownAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """When the deepest fall began, was deepest, and was made good (null: not yet)."""

    peak_at: datetime
    trough_at: datetime
    recovered_at: datetime | None

    @classmethod
    def of(cls, drawdown: Drawdown) -> Self:
        """The times of `drawdown`."""
        recovered_ns = drawdown.recovered_at_ns
        return cls(
            peak_at=to_datetime(drawdown.peak_at_ns),
            trough_at=to_datetime(drawdown.trough_at_ns),
            recovered_at=None if recovered_ns is None else to_datetime(recovered_ns),
        )


class PerformanceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How the account did from `start` to `end`.

    `equity` and `cash` are those at `end` (by default now); `profit` is what equity gained beyond
    `net_deposits`. `total_return` and the drawdowns are time-weighted fractions, free of deposits; `sharpe`,
    `sortino` and `volatility` are annualised with `periods_per_year` (calendar time) from the
    `returns_measured` whole periods. `trades` counts round trips that ended in the period; `win_rate` and
    `profit_factor` are after fees.
    """

    account_id: str
    currency: str
    start: datetime
    end: datetime
    timeframe: str
    equity: str
    cash: str
    start_equity: str
    net_deposits: str
    profit: str
    total_return: float | None
    max_drawdown: float | None
    max_drawdown_details: DrawdownAnswer | None
    current_drawdown: float | None
    sharpe: float | None
    sortino: float | None
    volatility: float | None
    returns_measured: int
    periods_per_year: float
    trades: int
    win_rate: float | None
    profit_factor: float | None
    fees: str


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """The account at `time`; `net_deposit` since the previous point, `total_return` since the first."""

    time: datetime
    equity: str
    cash: str
    net_deposit: str
    total_return: float


class EquityCurveAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The account's equity over time, oldest first."""

    account_id: str
    currency: str
    timeframe: str
    points: list[CurvePoint]


class TradeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A round trip: a position from flat to flat.

    `net_pnl` is after fees, `return_on_entry` its fraction of the entry value.
    """

    symbol: str
    side: Literal["long", "short"]
    qty: str
    entered_at: datetime
    exited_at: datetime
    duration_s: float
    entry_price: str
    exit_price: str
    gross_pnl: str
    fees: str
    net_pnl: str
    return_on_entry: float | None


class TradesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Round trips, newest first; `count` of them ended in the period, of which at most `limit` are listed."""

    account_id: str
    currency: str
    count: int
    trades: list[TradeAnswer]


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, in the platform's common shape."""

    code: int
    message: str


def trade_answer(trip: RoundTrip) -> TradeAnswer:
    """A round trip as the API shows it."""
    return TradeAnswer(
        symbol=trip.symbol,
        side="long" if trip.side is Side.BUY else "short",
        qty=format_decimal(trip.qty),
        entered_at=to_datetime(trip.entered_at_ns),
        exited_at=to_datetime(trip.exited_at_ns),
        duration_s=trip.duration_ns / NS_PER_S,
        entry_price=format_decimal(trip.entry_price),
        exit_price=format_decimal(trip.exit_price),
        gross_pnl=format_decimal(trip.gross_pnl),
        fees=format_decimal(trip.fees),
        net_pnl=format_decimal(trip.net_pnl),
        return_on_entry=trip.return_on_entry,
    )
