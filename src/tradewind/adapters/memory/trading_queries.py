"""Committed state held in memory: what the gateway and analytics read, without a database."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.accounts.activity import NO_TURNOVER, AccountActivity, Turnover
from tradewind.domain.decimals import ZERO
from tradewind.domain.identifiers import AccountId, ClientOrderId, OrderId, Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import Side
from tradewind.domain.positions.position import Position
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.trading_queries import CashMovement, Execution, OrderFilter

_EXTERNAL_KINDS = ("CashDeposited", "CashWithdrawn")


class MemoryTradingQueries:
    """Implements `tradewind.ports.trading_queries.TradingQueries`; `is_available = False` makes every call
    fail.

    `add_*` put in what the reads then find.
    """

    def __init__(self, instruments: Iterable[Instrument] = ()) -> None:
        self.is_available = True
        self._instruments = sorted(instruments, key=lambda instrument: instrument.symbol)
        self._accounts: dict[AccountId, Account] = {}
        self._orders: dict[OrderId, Order] = {}
        self._executions: list[Execution] = []
        self._movements: list[tuple[AccountId, CashMovement]] = []

    def add_account(self, account: Account) -> None:
        """Store or replace an account, its open orders among its orders."""
        self._accounts[account.account_id] = account
        for order in account.open_orders.values():
            self.add_order(order)

    def add_order(self, order: Order) -> None:
        """Store or replace an order."""
        self._orders[order.order_id] = order

    def add_executions(self, executions: Iterable[Execution]) -> None:
        """Store executions; those of the same time keep the order of their `seq`."""
        self._executions.extend(executions)
        self._executions.sort(key=lambda execution: (execution.executed_at_ns, execution.seq))

    def add_cash_movements(self, account_id: AccountId, movements: Iterable[CashMovement]) -> None:
        """Store movements of an account's cash; those of the same time keep the order given."""
        self._movements.extend((account_id, movement) for movement in movements)
        self._movements.sort(key=lambda row: row[1].ts_ns)

    async def account(self, account_id: AccountId) -> Account | None:
        """The account with its positions, without its open orders."""
        self._require_available()
        account = self._accounts.get(account_id)
        return None if account is None else msgspec.structs.replace(account, open_orders={})

    async def orders(self, account_id: AccountId, order_filter: OrderFilter) -> list[Order]:
        """Orders of an account by submission time."""
        self._require_available()
        found = [
            order
            for order in self._orders.values()
            if order.account_id == account_id and _matches(order, order_filter)
        ]
        found.sort(
            key=lambda order: (order.submitted_at_ns, order.order_id), reverse=order_filter.newest_first
        )
        return found[: order_filter.limit]

    async def order(self, account_id: AccountId, order_id: OrderId) -> Order | None:
        """One order of the account."""
        self._require_available()
        order = self._orders.get(order_id)
        return order if order is not None and order.account_id == account_id else None

    async def order_by_client_id(self, account_id: AccountId, client_order_id: ClientOrderId) -> Order | None:
        """The order that has this client order id."""
        self._require_available()
        mine = (order for order in self._orders.values() if order.account_id == account_id)
        return next((order for order in mine if order.client_order_id == client_order_id), None)

    async def resolve_fate(self, account_id: AccountId, client_order_id: ClientOrderId) -> Order | None:
        """The same: nothing is being written here."""
        return await self.order_by_client_id(account_id, client_order_id)

    async def positions(self, account_id: AccountId) -> list[Position]:
        """Positions of an account that are not flat, by symbol."""
        self._require_available()
        account = self._accounts.get(account_id)
        positions = account.positions.values() if account else ()
        return sorted((p for p in positions if p.qty), key=lambda position: position.symbol)

    async def instruments(self) -> list[Instrument]:
        """All instruments by symbol."""
        self._require_available()
        return list(self._instruments)

    async def executions(
        self, account_id: AccountId, after_ns: int, until_ns: int, limit: int
    ) -> Sequence[Execution]:
        """Executions in `[after_ns, until_ns)`, oldest first."""
        self._require_available()
        found = (
            execution
            for execution in self._executions
            if execution.account_id == account_id and after_ns <= execution.executed_at_ns < until_ns
        )
        return list(found)[:limit]

    async def cash_movements(
        self, account_id: AccountId, after_ns: int, until_ns: int, limit: int
    ) -> Sequence[CashMovement]:
        """What changed an account's cash in `[after_ns, until_ns)`, oldest first."""
        self._require_available()
        found = [
            movement
            for owner, movement in self._movements
            if owner == account_id and after_ns <= movement.ts_ns < until_ns
        ]
        return found[:limit]

    async def activity(self, account_id: AccountId, since_ns: int) -> AccountActivity | None:
        """The account with its positions, and what was executed and paid in or out at or after `since_ns`."""
        account = await self.account(account_id)
        if account is None:
            return None
        turnover: dict[Symbol, Turnover] = {}
        for each in self._executions:
            if each.account_id == account_id and each.executed_at_ns >= since_ns:
                turnover[each.symbol] = _added(turnover.get(each.symbol, NO_TURNOVER), each)
        return AccountActivity(
            account=account, net_deposits=await self.net_deposits(account_id, since_ns), turnover=turnover
        )

    async def net_deposits(self, account_id: AccountId, since_ns: int) -> Decimal:
        """Deposits less withdrawals at or after `since_ns`."""
        self._require_available()
        amounts = (
            movement.amount
            for owner, movement in self._movements
            if owner == account_id and movement.kind in _EXTERNAL_KINDS and movement.ts_ns >= since_ns
        )
        return sum(amounts, ZERO)

    async def last_execution_prices(
        self, account_id: AccountId, symbols: Sequence[Symbol], before_ns: int
    ) -> Mapping[Symbol, Decimal]:
        """The price of the account's last execution in each symbol before `before_ns`; without those that have none."""
        self._require_available()
        return {
            each.symbol: each.price
            for each in self._executions
            if each.account_id == account_id and each.symbol in symbols and each.executed_at_ns < before_ns
        }

    def _require_available(self) -> None:
        if not self.is_available:
            raise StoreUnavailable("the store cannot be reached")


def _matches(order: Order, order_filter: OrderFilter) -> bool:
    return (
        (order_filter.is_open is None or order.is_open == order_filter.is_open)
        and (not order_filter.symbols or order.symbol in order_filter.symbols)
        and (order_filter.side is None or order.side is order_filter.side)
        and (order_filter.after_ns is None or order.submitted_at_ns > order_filter.after_ns)
        and (order_filter.until_ns is None or order.submitted_at_ns < order_filter.until_ns)
    )


def _added(turnover: Turnover, execution: Execution) -> Turnover:
    side = "bought" if execution.side is Side.BUY else "sold"
    added = {
        f"{side}_qty": execution.qty,
        f"{side}_value": execution.qty * execution.price,
        "fees": execution.fee,
    }
    return msgspec.structs.replace(
        turnover, **{name: getattr(turnover, name) + amount for name, amount in added.items()}
    )
