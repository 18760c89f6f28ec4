"""Sums over round trips: how many won, and what they won against what the others lost."""

from decimal import Decimal

from tradewind.domain.decimals import ZERO
from tradewind.domain.performance.trades import RoundTrip


class TradeStatistics:
    """Counts round trips after fees. One without profit or loss counts as neither won nor lost."""

    def __init__(self) -> None:
        self.count = 0
        self.won = 0
        self.lost = 0
        self.profit = ZERO
        self.loss = ZERO

    def add(self, trip: RoundTrip) -> None:
        """Count one round trip."""
        self.count += 1
        if trip.net_pnl > 0:
            self.won += 1
            self.profit += trip.net_pnl
        elif trip.net_pnl < 0:
            self.lost += 1
            self.loss -= trip.net_pnl

    @property
    def win_rate(self) -> float | None:
        """Won round trips as a fraction of all; None without any."""
        return self.won / self.count if self.count else None

    @property
    def profit_factor(self) -> float | None:
        """What the winners won for each unit that the losers lost; None when nothing was lost."""
        return float(self.profit / self.loss) if self.loss else None

    @property
    def net_pnl(self) -> Decimal:
        """Profit of all round trips after fees."""
        return self.profit - self.loss
