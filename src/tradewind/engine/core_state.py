"""What a trading core knows: accounts, orders and prices. Only `tradewind.engine.evolve` changes it."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.identifiers import AccountId, ClientOrderId, OrderId, Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.order import Order

MAX_CLOSED_ORDERS = 20_000
"""Closed orders that a core remembers to answer retries; older ones are looked up in the journal's tables."""


class CoreState:
    """Accounts with their positions and open orders, and the newest closed orders.

    `remembers_all_orders` tells whether every order that ever was is in memory: then an unknown id is surely new.
    """

    def __init__(
        self, instruments: Mapping[Symbol, Instrument], *, max_closed_orders: int = MAX_CLOSED_ORDERS
    ) -> None:
        self.instruments = instruments
        self.accounts: dict[AccountId, Account] = {}
        self.orders: dict[OrderId, Order] = {}
        self.order_ids: dict[tuple[AccountId, ClientOrderId], OrderId] = {}
        self.marks: dict[Symbol, Decimal] = {}
        self.remembers_all_orders = True
        self._max_closed_orders = max_closed_orders
        self._closed: OrderedDict[OrderId, None] = OrderedDict()

    def load(self, accounts: Iterable[Account], *, has_closed_orders: bool) -> None:
        """Take over accounts and their open orders as they were committed."""
        self.remembers_all_orders = not has_closed_orders
        for account in accounts:
            self.accounts[account.account_id] = account
            for order in account.open_orders.values():
                self._index(order)

    def remember(self, order: Order) -> None:
        """Put a closed order that was looked up back in memory."""
        if order.order_id in self.orders:
            return
        self._index(order)
        self.closed(order)

    def add(self, order: Order) -> None:
        """A new order, open. Its id must be new."""
        assert order.order_id not in self.orders, f"order {order.order_id} exists"
        self._index(order)
        self.accounts[order.account_id].open_orders[order.order_id] = order

    def closed(self, order: Order) -> None:
        """The order reached a terminal status: keep it for retries, forget the oldest beyond the bound."""
        self.accounts[order.account_id].open_orders.pop(order.order_id, None)
        self._closed[order.order_id] = None
        while len(self._closed) > self._max_closed_orders:
            oldest_id, _ = self._closed.popitem(last=False)
            oldest = self.orders.pop(oldest_id)
            del self.order_ids[oldest.account_id, oldest.client_order_id]
            self.remembers_all_orders = False

    def order_by_client_id(self, account_id: AccountId, client_order_id: ClientOrderId) -> Order | None:
        """The order in memory with this client order id."""
        order_id = self.order_ids.get((account_id, client_order_id))
        return None if order_id is None else self.orders[order_id]

    def state_hash(self) -> str:
        """SHA-256 over accounts, positions and open orders: equal histories give equal hashes."""
        digest = hashlib.sha256()
        encoder = msgspec.msgpack.Encoder(order="sorted")
        for account_id in sorted(self.accounts):
            digest.update(encoder.encode(self.accounts[account_id]))
        return digest.hexdigest()

    def _index(self, order: Order) -> None:
        self.orders[order.order_id] = order
        self.order_ids[order.account_id, order.client_order_id] = order.order_id
