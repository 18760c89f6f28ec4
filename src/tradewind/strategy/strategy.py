"""The base class of every strategy. The same class runs in a backtest, on paper and live."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, get_type_hints

from tradewind.domain.identifiers import ClientOrderId, Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.market.ticks import Bar, Quote, Trade
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import Side, TimeInForce
from tradewind.strategy.context import StrategyContext, StrategyLog
from tradewind.strategy.values import Fill, Position

Number = Decimal | int | str
"""Quantities and prices: exact, never a float."""


class Strategy:
    """Override the `on_…` methods that you need; act through the other ones.

    Parameters are annotated class attributes with a default (`fast: int = 10`); `MyStrategy(fast=20)` sets one.
    Methods are called one at a time and must not block. An exception that leaves one stops the strategy: its open
    orders are cancelled, its positions stay.
    """

    _context: StrategyContext | None = None

    def __init__(self, **parameters: Any) -> None:
        known = self.parameters()
        for name, value in parameters.items():
            if name not in known:
                listed = ", ".join(known) or "none"
                raise TypeError(f"{type(self).__name__} has no parameter {name!r}; it has: {listed}")
            setattr(self, name, value)

    @classmethod
    def parameters(cls) -> dict[str, Any]:
        """The parameters and their defaults, by name."""
        names = [name for name in get_type_hints(cls) if not name.startswith("_") and hasattr(cls, name)]
        return {name: getattr(cls, name) for name in names}

    def attach(self, context: StrategyContext) -> None:
        """Called once by whatever runs the strategy, before `on_start`."""
        self._context = context

    # -- What happens: override these.

    def on_start(self) -> None:
        """The strategy begins; positions and open orders are known."""

    def on_bar(self, bar: Bar) -> None:
        """A bar of the strategy's timeframe is complete."""

    def on_quote(self, quote: Quote) -> None:
        """The best bid or offer of one of the symbols changed."""

    def on_trade(self, trade: Trade) -> None:
        """A trade happened on the market."""

    def on_order(self, order: Order) -> None:
        """An order of the account changed.

        An order that was refused, or certainly never arrived, comes here as `rejected` with its `reject_reason`.
        """

    def on_fill(self, fill: Fill) -> None:
        """An order of the account traded; `position` already includes it. `on_order` for the same step follows."""

    def on_stop(self) -> None:
        """The strategy ends in good order. Orders sent from here still leave."""

    # -- What a strategy knows.

    @property
    def symbols(self) -> Sequence[Symbol]:
        """The symbols that it trades."""
        return self._attached.symbols

    @property
    def timeframe(self) -> str:
        """The timeframe of its bars."""
        return self._attached.timeframe

    @property
    def now_ns(self) -> int:
        """The time of the latest market event, nanoseconds since the epoch: never the machine's clock."""
        return self._attached.now_ns

    @property
    def log(self) -> StrategyLog:
        """`self.log.info("crossed", symbol=bar.symbol)`."""
        return self._attached.log

    @property
    def equity(self) -> Decimal:
        """Cash plus the value of all positions at the latest prices."""
        return self._attached.equity

    def instrument(self, symbol: Symbol) -> Instrument:
        """Tick, lot and minimum sizes of a symbol; raises `KeyError` when there is none."""
        return self._attached.instrument(symbol)

    def position(self, symbol: Symbol) -> Position:
        """What the account holds of the symbol."""
        return self._attached.position(symbol)

    def open_orders(self, symbol: Symbol) -> Sequence[Order]:
        """Orders of the account that may still trade, those on their way to the market included."""
        return self._attached.open_orders(symbol)

    # -- What a strategy does.

    def buy(
        self,
        symbol: Symbol,
        qty: Number,
        *,
        limit_price: Number | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> ClientOrderId:
        """Buy `qty` units, at the market or at `limit_price` or better; returns the order's client id.

        Without `time_in_force` the order works until cancelled for crypto and for the session for everything else.
        """
        return self._submit(symbol, Side.BUY, qty, limit_price, time_in_force)

    def sell(
        self,
        symbol: Symbol,
        qty: Number,
        *,
        limit_price: Number | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> ClientOrderId:
        """Sell `qty` units, as `buy` buys them."""
        return self._submit(symbol, Side.SELL, qty, limit_price, time_in_force)

    def close(self, symbol: Symbol) -> ClientOrderId | None:
        """Close the whole position at the market; returns the order's client id, None when there is no position."""
        return self._attached.close(symbol)

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Ask to cancel an order; one that is not open is ignored."""
        self._attached.cancel(client_order_id)

    def _submit(
        self,
        symbol: Symbol,
        side: Side,
        qty: Number,
        limit_price: Number | None,
        time_in_force: TimeInForce | None,
    ) -> ClientOrderId:
        price = None if limit_price is None else _exact("limit_price", limit_price)
        return self._attached.submit(symbol, side, _exact("qty", qty), price, time_in_force)

    @property
    def _attached(self) -> StrategyContext:
        if self._context is None:
            raise RuntimeError("the strategy has not started: use this from on_start on, not in __init__")
        return self._context


def _exact(name: str, value: Number) -> Decimal:
    if isinstance(value, float):
        raise TypeError(f"{name} must be a Decimal, an int or a text such as '0.5', not a float: {value!r}")
    return Decimal(value)
