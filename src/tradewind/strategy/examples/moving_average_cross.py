"""The moving-average cross: hold a symbol while its short-term average price is above its long-term one."""

from collections import defaultdict, deque
from decimal import ROUND_DOWN, Decimal

from tradewind.strategy import AssetClass, Bar, Order, OrderStatus, Strategy

_CRYPTO_STEP = Decimal("0.0001")


class MovingAverageCross(Strategy):
    """One long position a symbol, opened and closed at the market.

    After every bar it compares the simple averages of the last `fast` and the last `slow` closes. While the fast one
    is above, it wants to hold the symbol; otherwise it wants to be flat. It compares what it wants with what it has
    and acts on the difference, so it also does the right thing after a restart or a refused order. A position is
    worth `equity_fraction` of the account's equity when it is opened. While an order is open it waits.
    """

    fast: int = 5
    slow: int = 15
    equity_fraction: Decimal = Decimal("0.05")

    def on_start(self) -> None:
        """Check the parameters; averages begin with the first bar."""
        if not 0 < self.fast < self.slow:
            raise ValueError(f"fast must be above 0 and below slow, not {self.fast} and {self.slow}")
        self._closes: dict[str, deque[Decimal]] = defaultdict(lambda: deque(maxlen=self.slow))
        self.log.info("moving-average cross", fast=self.fast, slow=self.slow, symbols=list(self.symbols))

    def on_bar(self, bar: Bar) -> None:
        """Compare the averages and act."""
        closes = self._closes[bar.symbol]
        closes.append(bar.close)
        if len(closes) < self.slow or self.open_orders(bar.symbol):
            return
        is_rising = _average(closes, self.fast) > _average(closes, self.slow)
        position = self.position(bar.symbol)
        if is_rising and position.is_flat:
            qty = self._qty_for(bar)
            if qty > 0:
                self.log.info("buying", symbol=bar.symbol, qty=str(qty), price=str(bar.close))
                self.buy(bar.symbol, qty)
        elif not is_rising and position.qty > 0:
            self.log.info("closing", symbol=bar.symbol, qty=str(position.qty), price=str(bar.close))
            self.close(bar.symbol)

    def on_order(self, order: Order) -> None:
        """Say why an order was refused; the next bar decides anew."""
        if order.status is OrderStatus.REJECTED:
            self.log.warning("order rejected", symbol=order.symbol, reason=order.reject_reason)

    def _qty_for(self, bar: Bar) -> Decimal:
        is_crypto = self.instrument(bar.symbol).asset_class is AssetClass.CRYPTO
        step = _CRYPTO_STEP if is_crypto else Decimal(1)
        return (self.equity * self.equity_fraction / bar.close / step).to_integral_value(ROUND_DOWN) * step


def _average(closes: deque[Decimal], count: int) -> Decimal:
    return sum((closes[-place] for place in range(1, count + 1)), Decimal(0)) / count
