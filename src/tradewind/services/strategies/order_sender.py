"""Sends a strategy's commands, one after another, and finds out what became of each."""

import asyncio
import random
from collections import deque
from collections.abc import Callable

import msgspec

from tradewind.domain.commands import CancelOrder, ClosePosition, SubmitOrder
from tradewind.domain.orders.order import Order
from tradewind.operations.backoff import Backoff
from tradewind.operations.logging import correlated, get_logger
from tradewind.operations.metrics import STRATEGY_ORDERS
from tradewind.ports.bus import CommandBus
from tradewind.ports.clock import Clock
from tradewind.ports.errors import BusUnavailable, Overloaded, ReplyOverdue, StoreUnavailable
from tradewind.ports.ids import IdSource
from tradewind.ports.messages import CommandEnvelope, Reply
from tradewind.ports.trading_queries import TradingQueries

WAITING_COMMANDS_MAX = 1_000
"""Commands that wait to be sent. At the bound a new command is not taken."""

_NS_PER_MS = 1_000_000

StrategyCommand = SubmitOrder | ClosePosition | CancelOrder
OnOrder = Callable[[Order], None]
OnRejected = Callable[[SubmitOrder | ClosePosition, str], None]

_log = get_logger(__name__)


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """How commands leave: `reply_to` is the bus's reply channel of this process."""

    reply_to: str
    deadline_ms: int
    may_act: Callable[[], bool]


class OrderSender:
    """A queue of commands in front of the bus.

    Every order ends in one of two calls: `on_order` with the order as it is stored, or `on_rejected` with the reason
    when it was refused or certainly does not exist. Nothing is ever sent a second time.
    """

    def __init__(
        self,
        bus: CommandBus,
        queries: TradingQueries,
        clock: Clock,
        ids: IdSource,
        sending: Sending,
    ) -> None:
        self._bus = bus
        self._queries = queries
        self._clock = clock
        self._ids = ids
        self._sending = sending
        self._waiting: deque[StrategyCommand] = deque()
        self._has_commands = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    def put(self, command: StrategyCommand) -> bool:
        """Queue a command; False when `WAITING_COMMANDS_MAX` wait already."""
        if len(self._waiting) >= WAITING_COMMANDS_MAX:
            _log.warning("strategy command dropped: too many wait", command=type(command).__name__)
            STRATEGY_ORDERS.labels(outcome="dropped").inc()
            return False
        self._waiting.append(command)
        self._has_commands.set()
        self._is_idle.clear()
        return True

    async def drained(self) -> None:
        """Return once nothing waits or is under way."""
        await self._is_idle.wait()

    async def run(self, on_order: OnOrder, on_rejected: OnRejected) -> None:
        """Send until cancelled."""
        while True:
            await self._has_commands.wait()
            command = self._waiting.popleft()
            if not self._waiting:
                self._has_commands.clear()
            await self._send(command, on_order, on_rejected)
            if not self._waiting:
                self._is_idle.set()

    async def _send(self, command: StrategyCommand, on_order: OnOrder, on_rejected: OnRejected) -> None:
        correlation_id = self._ids.new_id()
        with correlated(correlation_id):
            outcome, reason, order = await self._outcome(command, correlation_id)
            STRATEGY_ORDERS.labels(outcome=outcome).inc()
            if reason:
                _log.warning("strategy command failed", command=type(command).__name__, reason=reason)
        if isinstance(command, CancelOrder):
            return
        if reason is not None:
            on_rejected(command, reason)
        elif order is not None:
            on_order(order)

    async def _outcome(
        self, command: StrategyCommand, correlation_id: str
    ) -> tuple[str, str | None, Order | None]:
        """What became of it: a word for the metric, why it failed, or the order as it is stored."""
        if not self._sending.may_act():
            return "unsent", "not sent: another replica runs the strategy", None
        try:
            reply = await self._bus.send(self._envelope(command, correlation_id))
        except (BusUnavailable, Overloaded) as error:
            return "unsent", f"not sent: {error}", None
        except ReplyOverdue:
            return await self._fate(command)
        return _answer(reply)

    async def _fate(self, command: StrategyCommand) -> tuple[str, str | None, Order | None]:
        if isinstance(command, CancelOrder):
            return "unanswered", "no answer to the cancellation", None
        _log.warning("no reply, looking for the order", client_order_id=command.client_order_id)
        backoff = Backoff(initial_s=0.2, maximum_s=5.0, factor=2.0, source=random.Random())  # noqa: S311
        while True:
            try:
                order = await self._queries.resolve_fate(command.account_id, command.client_order_id)
            except StoreUnavailable as error:
                delay_s = backoff.next_delay_s()
                _log.warning(
                    "fate of the order not known yet", error=str(error), retry_in_s=round(delay_s, 2)
                )
                await asyncio.sleep(delay_s)
                continue
            if order is None:
                return "expired", "not processed before its deadline", None
            return "accepted", None, order

    def _envelope(self, command: StrategyCommand, correlation_id: str) -> CommandEnvelope:
        now_ns = self._clock.now_ns()
        return CommandEnvelope(
            command_id=self._ids.new_id(),
            correlation_id=correlation_id,
            reply_to=self._sending.reply_to,
            received_ns=now_ns,
            deadline_ns=now_ns + self._sending.deadline_ms * _NS_PER_MS,
            command=command,
        )


def _answer(reply: Reply) -> tuple[str, str | None, Order | None]:
    if reply.refusal is not None:
        return "refused", reply.refusal.message, None
    return "accepted", None, reply.orders[0] if reply.orders else None
