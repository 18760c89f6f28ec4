"""Reading the committed state: what the gateway and analytics show."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.accounts.activity import AccountActivity
from tradewind.domain.identifiers import AccountId, ClientOrderId, OrderId, Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import Side
from tradewind.domain.positions.position import Position


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders to list. `after_ns` and `until_ns` are exclusive bounds of the submission time."""

    is_open: bool | None = None
    symbols: tuple[Symbol, ...] = ()
    side: Side | None = None
    after_ns: int | None = None
    until_ns: int | None = None
    newest_first: bool = True
    limit: int = 50


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One booked execution; see `OrderExecuted`. `realised_pnl` is before fees."""

    account_id: AccountId
    order_id: OrderId
    execution_id: str
    symbol: Symbol
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    realised_pnl: Decimal
    position_qty: Decimal
    executed_at_ns: int
    seq: int


class CashMovement(msgspec.Struct, frozen=True, kw_only=True):
    """One posting on an account's cash (available and held netted): `amount` is signed."""

    ts_ns: int
    amount: Decimal
    kind: str
    """The event's type, `CashDeposited` and so on."""


class TradingQueries(Protocol):
    """Reads of committed state. Every method raises `StoreUnavailable`."""

    async def account(self, account_id: AccountId) -> Account | None:
        """The account with its positions, without its open orders."""
        ...

    async def orders(self, account_id: AccountId, order_filter: OrderFilter) -> list[Order]:
        """Orders of an account by submission time."""
        ...

    async def order(self, account_id: AccountId, order_id: OrderId) -> Order | None:
        """One order of the account."""
        ...

    async def order_by_client_id(self, account_id: AccountId, client_order_id: ClientOrderId) -> Order | None:
        """The order that has this client order id."""
        ...

    async def resolve_fate(self, account_id: AccountId, client_order_id: ClientOrderId) -> Order | None:
        """The order that has this client order id, after every batch that is being written now is done.

        Called when a command's deadline is over and no reply came: None then says that the order does not exist and
        never will through that command.
        """
        ...

    async def positions(self, account_id: AccountId) -> list[Position]:
        """Positions of an account that are not flat, by symbol."""
        ...

    async def instruments(self) -> list[Instrument]:
        """All instruments by symbol."""
        ...

    async def executions(
        self, account_id: AccountId, after_ns: int, until_ns: int, limit: int
    ) -> Sequence[Execution]:
        """Executions in `[after_ns, until_ns)`, oldest first."""
        ...

    async def cash_movements(
        self, account_id: AccountId, after_ns: int, until_ns: int, limit: int
    ) -> Sequence[CashMovement]:
        """What changed an account's cash from outside trading and by trading, oldest first."""
        ...

    async def activity(self, account_id: AccountId, since_ns: int) -> AccountActivity | None:
        """The account with its positions, and what was executed and paid in or out at or after `since_ns`."""
        ...

    async def net_deposits(self, account_id: AccountId, since_ns: int) -> Decimal:
        """Deposits less withdrawals at or after `since_ns`."""
        ...

    async def last_execution_prices(
        self, account_id: AccountId, symbols: Sequence[Symbol], before_ns: int
    ) -> Mapping[Symbol, Decimal]:
        """The price of the account's last execution in each symbol before `before_ns`; without those that have none."""
        ...
