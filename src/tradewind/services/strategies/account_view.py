"""What a hosted strategy's account looks like: balances and positions as last read, open orders as last heard."""

from collections.abc import Sequence
from decimal import Decimal

from tradewind.domain.accounts import valuation
from tradewind.domain.accounts.account import Account
from tradewind.domain.identifiers import ClientOrderId, OrderId, Symbol
from tradewind.domain.market.ticks import MarketEvent, Quote, Trade
from tradewind.domain.orders.order import Order
from tradewind.strategy import Position


class AccountView:
    """Balances and positions are those of the last `refresh`; orders are kept up to date one by one."""

    def __init__(self, account: Account, open_orders: Sequence[Order]) -> None:
        self._account = account
        self._orders: dict[ClientOrderId, Order] = {order.client_order_id: order for order in open_orders}
        self._marks: dict[Symbol, Decimal] = {}

    def refresh(self, account: Account) -> None:
        """Take newer balances and positions."""
        self._account = account

    def mark(self, event: MarketEvent) -> None:
        """Take the latest price from a market event."""
        if isinstance(event, Quote):
            self._marks[event.symbol] = event.mid_price
        elif isinstance(event, Trade):
            self._marks[event.symbol] = event.price
        else:
            self._marks[event.symbol] = event.close

    @property
    def equity(self) -> Decimal:
        """Cash plus positions at the latest prices (at their entry price where none is known)."""
        return valuation.equity(self._account.cash, self._account.positions.values(), self._marks)

    def position(self, symbol: Symbol) -> Position:
        """What is held of the symbol."""
        held = self._account.positions.get(symbol)
        if held is None:
            return Position(symbol)
        return Position(symbol, held.qty, held.average_entry_price)

    @property
    def all_open_orders(self) -> list[Order]:
        """Every open order of the account."""
        return list(self._orders.values())

    def open_orders(self, symbol: Symbol) -> list[Order]:
        """The open orders in one symbol."""
        return [order for order in self._orders.values() if order.symbol == symbol]

    def order(self, client_order_id: ClientOrderId) -> Order | None:
        """An open order."""
        return self._orders.get(client_order_id)

    def client_id_of(self, order_id: OrderId) -> ClientOrderId | None:
        """The client id of an open order."""
        return next((o.client_order_id for o in self._orders.values() if o.order_id == order_id), None)

    def put_order(self, order: Order) -> None:
        """Take an order's newer state: it stays while it is open."""
        if order.is_open:
            self._orders[order.client_order_id] = order
        else:
            self._orders.pop(order.client_order_id, None)

    def confirm_order(self, order: Order) -> None:
        """Take the state that a reply told: what an event told meanwhile is newer, and is kept."""
        known = self._orders.get(order.client_order_id)
        if known is not None and known.updated_at_ns <= order.updated_at_ns:
            self.put_order(order)
