"""What stands behind a strategy: the live runner or the backtester. Strategies use the methods of `Strategy`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from tradewind.domain.identifiers import ClientOrderId, Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import Side, TimeInForce
from tradewind.strategy.values import Position


class StrategyLog(Protocol):
    """A logger: an event in words, and facts by name."""

    def debug(self, event: str, **facts: object) -> object:
        """For the author."""
        ...

    def info(self, event: str, **facts: object) -> object:
        """For the operator."""
        ...

    def warning(self, event: str, **facts: object) -> object:
        """Something to look at."""
        ...

    def error(self, event: str, **facts: object) -> object:
        """Something that failed."""
        ...


class StrategyContext(Protocol):
    """The world of one strategy."""

    @property
    def symbols(self) -> Sequence[Symbol]:
        """The symbols that it trades, in the order given by the operator."""
        ...

    @property
    def timeframe(self) -> str:
        """The timeframe of its bars."""
        ...

    @property
    def now_ns(self) -> int:
        """The time of the latest market event, nanoseconds since the epoch."""
        ...

    @property
    def log(self) -> StrategyLog:
        """Where it writes."""
        ...

    @property
    def equity(self) -> Decimal:
        """Cash plus the value of all positions at the latest prices."""
        ...

    def instrument(self, symbol: Symbol) -> Instrument:
        """The instrument; raises `KeyError` when there is none."""
        ...

    def position(self, symbol: Symbol) -> Position:
        """What the account holds; flat when nothing."""
        ...

    def open_orders(self, symbol: Symbol) -> Sequence[Order]:
        """Orders that may still trade, those on their way to the market included."""
        ...

    def submit(
        self,
        symbol: Symbol,
        side: Side,
        qty: Decimal,
        limit_price: Decimal | None,
        time_in_force: TimeInForce | None,
    ) -> ClientOrderId:
        """Send an order; what becomes of it comes as `on_order`."""
        ...

    def close(self, symbol: Symbol) -> ClientOrderId | None:
        """Close the position at the market; None when it is flat."""
        ...

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Ask to cancel an order; one that is not open is ignored."""
        ...
