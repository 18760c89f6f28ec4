"""Hosts one strategy object: it is its context, and keeps what it raises from hurting the service."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tradewind.domain.commands import CancelOrder, ClosePosition, SubmitOrder
from tradewind.domain.identifiers import AccountId, ClientOrderId, Symbol
from tradewind.domain.market.instrument import AssetClass, Instrument
from tradewind.domain.market.ticks import Bar, DailyBar, MarketEvent, Quote
from tradewind.domain.market.timeframe import Timeframe
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.operations.logging import get_logger
from tradewind.ports.clock import Clock
from tradewind.ports.errors import Overloaded
from tradewind.ports.ids import IdSource
from tradewind.services.strategies.account_view import AccountView
from tradewind.services.strategies.order_sender import WAITING_COMMANDS_MAX, OrderSender
from tradewind.services.strategies.status import StrategyStatus
from tradewind.strategy import Fill, Position, Strategy, StrategyLog

_log = get_logger(__name__)


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy is to trade."""

    account_id: AccountId
    symbols: tuple[Symbol, ...]
    timeframe: str


class StrategyHost:
    """One running strategy; implements `tradewind.strategy.StrategyContext` for it.

    After an exception the strategy is called no more and its own open orders are cancelled (`has_failed`).
    """

    def __init__(
        self,
        *,
        strategy: Strategy,
        assignment: Assignment,
        instruments: dict[Symbol, Instrument],
        account: AccountView,
        sender: OrderSender,
        clock: Clock,
        ids: IdSource,
        status: StrategyStatus,
    ) -> None:
        self.account = account
        self.has_failed = False
        self._strategy = strategy
        self._assignment = assignment
        self._instruments = instruments
        self._sender = sender
        self._clock = clock
        self._ids = ids
        self._status = status
        self._bar_duration_ns = Timeframe.parse(assignment.timeframe).duration_ns
        self._own_ids: set[ClientOrderId] = set()
        self._now_ns = 0
        self._log: StrategyLog = _log.bind(strategy=type(strategy).__name__)
        strategy.attach(self)

    # -- The context.

    @property
    def symbols(self) -> Sequence[Symbol]:
        """The symbols that the strategy trades."""
        return self._assignment.symbols

    @property
    def timeframe(self) -> str:
        """The timeframe of its bars."""
        return self._assignment.timeframe

    @property
    def now_ns(self) -> int:
        """The time of the latest market event; before the first, the clock's."""
        return self._now_ns or self._clock.now_ns()

    @property
    def log(self) -> StrategyLog:
        """The service's log, with the strategy's name on each line."""
        return self._log

    @property
    def equity(self) -> Decimal:
        """See `StrategyContext`."""
        return self.account.equity

    def instrument(self, symbol: Symbol) -> Instrument:
        """See `StrategyContext`."""
        return self._instruments[symbol]

    def position(self, symbol: Symbol) -> Position:
        """See `StrategyContext`."""
        return self.account.position(symbol)

    def open_orders(self, symbol: Symbol) -> Sequence[Order]:
        """See `StrategyContext`."""
        return self.account.open_orders(symbol)

    def submit(
        self,
        symbol: Symbol,
        side: Side,
        qty: Decimal,
        limit_price: Decimal | None,
        time_in_force: TimeInForce | None,
    ) -> ClientOrderId:
        """See `StrategyContext`. Raises `Overloaded`."""
        command = SubmitOrder(
            account_id=self._assignment.account_id,
            order_id=self._ids.new_id(),
            client_order_id=self._ids.new_id(),
            symbol=symbol,
            side=side,
            order_type=OrderType.MARKET if limit_price is None else OrderType.LIMIT,
            time_in_force=time_in_force or self._usual_time_in_force(symbol),
            qty=qty,
            limit_price=limit_price,
        )
        return self._send(command, self._first_state(command))

    def close(self, symbol: Symbol) -> ClientOrderId | None:
        """See `StrategyContext`."""
        if self.position(symbol).is_flat:
            return None
        command = ClosePosition(
            account_id=self._assignment.account_id,
            order_id=self._ids.new_id(),
            client_order_id=self._ids.new_id(),
            symbol=symbol,
        )
        return self._send(command, self._first_state(command))

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """See `StrategyContext`."""
        order = self.account.order(client_order_id)
        if order is not None:
            self._sender.put(CancelOrder(account_id=order.account_id, order_id=order.order_id))

    def _send(self, command: SubmitOrder | ClosePosition, order: Order) -> ClientOrderId:
        if not self._sender.put(command):
            raise Overloaded(f"{WAITING_COMMANDS_MAX} commands of the strategy wait to be sent")
        # Known as open from now on, so that the strategy does not send it again before the reply.
        self.account.put_order(order)
        self._own_ids.add(order.client_order_id)
        return order.client_order_id

    def _first_state(self, command: SubmitOrder | ClosePosition) -> Order:
        if isinstance(command, SubmitOrder):
            terms = msgspec.structs.asdict(command)
            return Order(**terms, status=OrderStatus.PENDING_NEW)
        held = self.position(command.symbol).qty
        return Order(
            order_id=command.order_id,
            account_id=command.account_id,
            client_order_id=command.client_order_id,
            symbol=command.symbol,
            side=Side.SELL if held > 0 else Side.BUY,
            order_type=OrderType.MARKET,
            time_in_force=self._usual_time_in_force(command.symbol),
            qty=abs(held),
        )

    def _usual_time_in_force(self, symbol: Symbol) -> TimeInForce:
        instrument = self._instruments.get(symbol)
        is_crypto = instrument is not None and instrument.asset_class is AssetClass.CRYPTO
        return TimeInForce.GTC if is_crypto else TimeInForce.DAY

    # -- What happens to the strategy.

    def start(self) -> None:
        """Call `on_start`."""
        self._call(self._strategy.on_start)
        if not self.has_failed:
            self._status.runs()

    def stop(self) -> None:
        """Call `on_stop`."""
        self._call(self._strategy.on_stop)

    def on_market(self, events: Sequence[MarketEvent]) -> None:
        """Hand on the events of the strategy's symbols, and the bars of its timeframe."""
        for event in events:
            if isinstance(event, DailyBar):
                continue  # nothing new: the minute bar came with it
            self.account.mark(event)
            if event.symbol not in self._assignment.symbols:
                continue
            if isinstance(event, Bar):
                if event.timeframe == self._assignment.timeframe:
                    self._now_ns = max(self._now_ns, event.start_ns + self._bar_duration_ns)
                    self._call(self._strategy.on_bar, event)
                continue
            self._now_ns = event.ts_ns
            self._call(
                self._strategy.on_quote if isinstance(event, Quote) else self._strategy.on_trade, event
            )

    def on_order(self, order: Order) -> None:
        """An order of the account has a new state."""
        self.account.put_order(order)
        if not order.is_open:
            self._own_ids.discard(order.client_order_id)
        self._call(self._strategy.on_order, order)

    def on_confirmed(self, order: Order) -> None:
        """The reply to an order came; the strategy hears of it through the order's events."""
        self.account.confirm_order(order)

    def on_rejected(self, command: SubmitOrder | ClosePosition, reason: str) -> None:
        """An order was refused, or certainly does not exist."""
        order = self.account.order(command.client_order_id)
        if order is not None:
            self.on_order(_rejected(order, reason))

    def on_fill(self, fill: Fill) -> None:
        """An order of the account traded."""
        self._call(self._strategy.on_fill, fill)

    def _call(self, method: Callable[..., None], *arguments: Any) -> None:
        if self.has_failed:
            return
        try:
            method(*arguments)
        except Exception as error:  # noqa: BLE001 - the author's code may raise anything, and must not stop the service
            self.has_failed = True
            self._status.fails(method.__name__, error)
            _log.exception(
                "strategy failed and is stopped; its open orders are cancelled, its positions stay",
                strategy=type(self._strategy).__name__,
                method=method.__name__,
            )
            for client_order_id in sorted(self._own_ids):
                self.cancel(client_order_id)


def _rejected(order: Order, reason: str) -> Order:
    return msgspec.structs.replace(order, status=OrderStatus.REJECTED, reject_reason=reason)
