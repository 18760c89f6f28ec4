"""Runs one strategy against one account, through the same bus as any client."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.events import OrderExecuted
from tradewind.operations.backoff import Backoff
from tradewind.operations.logging import get_logger
from tradewind.ports.bus import CommandBus, OrderEventSource
from tradewind.ports.clock import Clock
from tradewind.ports.errors import BusUnavailable, StoreUnavailable
from tradewind.ports.ids import IdSource
from tradewind.ports.market_data import MarketDataSubscriber
from tradewind.ports.messages import EventNotice, PublishedEvent, shard_of
from tradewind.ports.trading_queries import Execution, OrderFilter, TradingQueries
from tradewind.services.strategies.account_view import AccountView
from tradewind.services.strategies.host import Assignment, StrategyHost
from tradewind.services.strategies.order_sender import OrderSender, Sending
from tradewind.services.strategies.status import StrategyStatus
from tradewind.strategy import Fill, Strategy

EVENTS_TIMEOUT_S = 1.0
"""How long one read of order events waits."""
FIRST_READ_TIMEOUT_S = 0.01
"""The first read only fixes the place in the stream from which on nothing is missed."""
ACCOUNT_INTERVAL_S = 1.0
"""How often a missing account is looked for."""
OPEN_ORDERS_MAX = 1_000
"""Open orders of the account that are taken over at the start."""
MISSED_FILLS_MAX = 10_000
"""Fills that one catch-up hands on; more are in the position, but not told one by one."""
STOP_TIMEOUT_S = 2.0
"""How long orders sent from `on_stop` may take to leave."""

_CLOCK_MARGIN_NS = 60_000_000_000  # fills are stamped by another machine's clock

Value = TypeVar("Value")

_log = get_logger(__name__)


@dataclass(frozen=True)
class Links:
    """What connects a runner with the rest of the platform."""

    bus: CommandBus
    order_events: OrderEventSource
    queries: TradingQueries
    market_data: MarketDataSubscriber
    clock: Clock
    ids: IdSource


class StrategyRunner:
    """One run of one strategy; make a new one for another run.

    The account's balances and positions are read again from the books after every event that concerns it, so they
    are never computed twice in two ways. When events may have been missed, orders and fills are caught up with too.
    """

    def __init__(
        self,
        make_strategy: Callable[[], Strategy],
        assignment: Assignment,
        links: Links,
        sending: Sending,
        status: StrategyStatus | None = None,
    ) -> None:
        self._make_strategy = make_strategy
        self._assignment = assignment
        self._links = links
        self._sending = sending
        self._shard = shard_of(assignment.account_id)
        self._last_seq: int | None = None
        self._last_fill_seq = 0
        self._fills_since_ns = 0
        self.status = status or StrategyStatus()
        """What becomes of it, for whoever asks."""
        self.host: StrategyHost | None = None
        """The running strategy, once it has started."""

    async def run(self) -> None:
        """Run until cancelled; then the strategy's `on_stop` is called. One that cannot be made rests until then."""
        strategy = self._make()
        if strategy is None:
            await asyncio.Event().wait()  # the lease stays: another replica could not make it either
            return
        sender = OrderSender(
            self._links.bus, self._links.queries, self._links.clock, self._links.ids, self._sending
        )
        host = await self._prepare(strategy, sender)
        self.host = host
        host.start()
        sending = asyncio.create_task(sender.run(host.on_confirmed, host.on_rejected), name="order sender")
        following = [
            asyncio.create_task(self._follow_orders(host), name="order events"),
            asyncio.create_task(self._follow_market(host), name="market data"),
        ]
        try:
            done, _ = await asyncio.wait((sending, *following), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await _cancelled(following)
            host.stop()
            if self._sending.may_act() and not sending.done():
                with suppress(TimeoutError):
                    await asyncio.wait_for(sender.drained(), STOP_TIMEOUT_S)
            await _cancelled([sending])

    def _make(self) -> Strategy | None:
        try:
            return self._make_strategy()
        except Exception as error:  # noqa: BLE001 - the author's code may raise anything, and must not stop the service
            self.status.fails("its constructor", error)
            _log.exception("strategy cannot be made")
            return None

    async def _prepare(self, strategy: Strategy, sender: OrderSender) -> StrategyHost:
        await self._fix_place_in_events()
        account = await self._await_account()
        open_orders = await self._persist(
            lambda: self._links.queries.orders(
                self._assignment.account_id, OrderFilter(is_open=True, limit=OPEN_ORDERS_MAX)
            )
        )
        instruments = await self._persist(self._links.queries.instruments)
        self._fills_since_ns = self._links.clock.now_ns() - _CLOCK_MARGIN_NS
        for execution in await self._persist(self._recent_executions):
            self._last_fill_seq = max(self._last_fill_seq, execution.seq)
        view = AccountView(account, open_orders)
        await self._mark_latest(view)
        return StrategyHost(
            strategy=strategy,
            assignment=self._assignment,
            instruments={instrument.symbol: instrument for instrument in instruments},
            account=view,
            sender=sender,
            clock=self._links.clock,
            ids=self._links.ids,
            status=self.status,
        )

    async def _fix_place_in_events(self) -> None:
        backoff = _backoff()
        while True:
            try:
                await self._links.order_events.read(FIRST_READ_TIMEOUT_S)
            except BusUnavailable as error:
                self.status.waits("the bus is away")
                _log.warning("strategy waits for the bus", error=str(error))
                await asyncio.sleep(backoff.next_delay_s())
            else:
                return

    async def _await_account(self) -> Account:
        has_complained = False
        while True:
            account = await self._read_account()
            if account is not None:
                return account
            if not has_complained:
                self.status.waits(f"there is no account {self._assignment.account_id}")
                _log.warning("strategy waits for its account", account_id=self._assignment.account_id)
                has_complained = True
            await asyncio.sleep(ACCOUNT_INTERVAL_S)

    async def _mark_latest(self, view: AccountView) -> None:
        try:
            latest = await self._links.market_data.latest_quotes()
        except BusUnavailable as error:
            _log.warning("strategy starts without the latest prices", error=str(error))
            return
        for quote in latest.values():
            view.mark(quote)

    async def _follow_market(self, host: StrategyHost) -> None:
        async for batch in self._links.market_data.subscribe():
            if self._sending.may_act():
                host.on_market(batch)

    async def _follow_orders(self, host: StrategyHost) -> None:
        backoff = _backoff()
        may_have_missed = False
        while True:
            try:
                batch = await self._links.order_events.read(EVENTS_TIMEOUT_S)
            except BusUnavailable as error:
                delay_s = backoff.next_delay_s()
                _log.warning("order events interrupted", error=str(error), retry_in_s=round(delay_s, 2))
                may_have_missed = True
                await asyncio.sleep(delay_s)
                continue
            backoff.reset()
            fresh = self._fresh(batch)
            ours = self._opened(fresh)
            if may_have_missed or ours is None or self._has_gap(fresh):
                await self._catch_up(host)
            else:
                await self._take(host, ours)
            may_have_missed = False
            if fresh:
                self._last_seq = fresh[-1].seq

    def _fresh(self, batch: Sequence[EventNotice]) -> list[EventNotice]:
        ours = [e for e in batch if e.shard == self._shard and e.seq > (self._last_seq or 0)]
        return list({event.seq: event for event in sorted(ours, key=lambda event: event.seq)}.values())

    def _has_gap(self, fresh: Sequence[EventNotice]) -> bool:
        if not fresh:
            return False
        before = fresh[0].seq - 1 if self._last_seq is None else self._last_seq
        return fresh[-1].seq - before != len(fresh)

    def _opened(self, fresh: Sequence[EventNotice]) -> list[PublishedEvent] | None:
        """The events of our account; None when one of them cannot be read."""
        try:
            return [notice.open() for notice in fresh if notice.account_id == self._assignment.account_id]
        except msgspec.MsgspecError as error:
            _log.error("order events cannot be read", error=str(error))
            return None

    async def _take(self, host: StrategyHost, ours: Sequence[PublishedEvent]) -> None:
        if not ours:
            return
        # Events are published after their commit, so what is read now includes all of them.
        await self._refresh(host)
        for published in ours:
            if isinstance(published.event, OrderExecuted) and published.seq > self._last_fill_seq:
                self._last_fill_seq = published.seq
                host.on_fill(_fill_of_event(published.event, published))
            for order in (published.order, published.new_order):
                if order is not None:
                    host.on_order(order)

    async def _catch_up(self, host: StrategyHost) -> None:
        _log.warning(
            "order events may have been missed, reading the books", account_id=self._assignment.account_id
        )
        await self._refresh(host)
        executions = [e for e in await self._persist(self._recent_executions) if e.seq > self._last_fill_seq]
        for execution in sorted(executions, key=lambda execution: execution.seq):
            self._last_fill_seq = execution.seq
            host.on_fill(_fill_of_execution(execution, host.account))
        if len(executions) < MISSED_FILLS_MAX:
            self._fills_since_ns = self._links.clock.now_ns() - _CLOCK_MARGIN_NS
        for known in host.account.all_open_orders:
            await self._catch_up_with_order(host, known.client_order_id)

    async def _catch_up_with_order(self, host: StrategyHost, client_order_id: str) -> None:
        stored = await self._persist(
            lambda: self._links.queries.order_by_client_id(self._assignment.account_id, client_order_id)
        )
        known = host.account.order(client_order_id)
        if stored is not None and known is not None and stored.updated_at_ns > known.updated_at_ns:
            host.on_order(stored)

    async def _refresh(self, host: StrategyHost) -> None:
        account = await self._read_account()
        if account is not None:
            host.account.refresh(account)

    async def _read_account(self) -> Account | None:
        return await self._persist(lambda: self._links.queries.account(self._assignment.account_id))

    async def _recent_executions(self) -> Sequence[Execution]:
        until_ns = self._links.clock.now_ns() + _CLOCK_MARGIN_NS
        return await self._links.queries.executions(
            self._assignment.account_id, self._fills_since_ns, until_ns, MISSED_FILLS_MAX
        )

    async def _persist(self, read: Callable[[], Awaitable[Value]]) -> Value:
        backoff = _backoff()
        while True:
            try:
                return await read()
            except StoreUnavailable as error:
                delay_s = backoff.next_delay_s()
                _log.warning("strategy waits for the store", error=str(error), retry_in_s=round(delay_s, 2))
                await asyncio.sleep(delay_s)


def _backoff() -> Backoff:
    return Backoff(initial_s=0.2, maximum_s=5.0, factor=2.0, source=random.Random())  # noqa: S311


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _fill_of_event(event: OrderExecuted, published: PublishedEvent) -> Fill:
    return Fill(
        symbol=event.symbol,
        side=event.side,
        qty=event.qty,
        price=event.price,
        fee=event.fee,
        realised_pnl=event.realised_pnl,
        position_qty=event.position_qty,
        executed_at_ns=event.executed_at_ns,
        execution_id=event.execution_id,
        client_order_id=None if published.order is None else published.order.client_order_id,
    )


def _fill_of_execution(execution: Execution, account: AccountView) -> Fill:
    return Fill(
        symbol=execution.symbol,
        side=execution.side,
        qty=execution.qty,
        price=execution.price,
        fee=execution.fee,
        realised_pnl=execution.realised_pnl,
        position_qty=execution.position_qty,
        executed_at_ns=execution.executed_at_ns,
        execution_id=execution.execution_id,
        client_order_id=account.client_id_of(execution.order_id),
    )
