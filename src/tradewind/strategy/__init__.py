"""What a strategy author imports.

from tradewind.strategy import Bar, Strategy

class BuyTheFirstBar(Strategy):
    qty: int = 1

    def on_bar(self, bar: Bar) -> None:
        if not self.position(bar.symbol).qty and not self.open_orders(bar.symbol):
            self.buy(bar.symbol, self.qty)
"""

from tradewind.domain.market.instrument import AssetClass, Instrument
from tradewind.domain.market.ticks import Bar, Quote, Trade
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.strategy.context import StrategyContext, StrategyLog
from tradewind.strategy.strategy import Strategy
from tradewind.strategy.values import Fill, Position

__all__ = [
    "AssetClass",
    "Bar",
    "Fill",
    "Instrument",
    "Order",
    "OrderStatus",
    "OrderType",
    "Position",
    "Quote",
    "Side",
    "Strategy",
    "StrategyContext",
    "StrategyLog",
    "TimeInForce",
    "Trade",
]
