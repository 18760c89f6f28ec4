"""The latest market prices, for the cores' risk rules."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import structlog

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.ticks import Quote, Trade
from tradewind.ports.errors import BusUnavailable
from tradewind.ports.market_data import MarketDataSubscriber

_log = structlog.get_logger(__name__)


class MarkPriceBoard:
    """Follows quotes and trades: a symbol's mark is its last trade's price, or its quote's middle before the first.

    `on_first_price` is called when a symbol gets its first mark: until the cores know it, they refuse market orders.
    """

    def __init__(self, market_data: MarketDataSubscriber) -> None:
        self._market_data = market_data
        self._prices: dict[Symbol, Decimal] = {}
        self._changed: dict[Symbol, Decimal] = {}
        self._has_trade: set[Symbol] = set()
        self.on_first_price: Callable[[], None] = _do_nothing
        self.has_first_prices = False
        """Whether some of the changes are first prices."""

    @property
    def prices(self) -> dict[Symbol, Decimal]:
        """All marks."""
        return self._prices

    def take_changes(self) -> dict[Symbol, Decimal]:
        """Marks that moved since the last call."""
        changed, self._changed = self._changed, {}
        self.has_first_prices = False
        return changed

    async def follow(self) -> None:
        """Run until cancelled."""
        stream = self._market_data.subscribe()
        try:
            for quote in (await self._market_data.latest_quotes()).values():
                self._see(quote)
            for trade in (await self._market_data.latest_trades()).values():
                self._see(trade)
        except BusUnavailable as error:
            _log.warning("latest prices not read", reason=str(error))
        async for events in stream:
            for event in events:
                self._see(event)
            await asyncio.sleep(0)

    def _see(self, event: object) -> None:
        if isinstance(event, Trade):
            self._has_trade.add(event.symbol)
            self._mark(event.symbol, event.price)
        elif isinstance(event, Quote) and event.symbol not in self._has_trade:
            self._mark(event.symbol, event.mid_price)

    def _mark(self, symbol: Symbol, price: Decimal) -> None:
        is_first = symbol not in self._prices
        self._prices[symbol] = self._changed[symbol] = price
        if is_first:
            self.has_first_prices = True
            self.on_first_price()


def _do_nothing() -> None:
    """Nobody waits for first prices."""
