"""The paper venue: a simulated venue that lives in this process and follows the market data of the moment.

It remembers nothing across a restart: `reconcile` tells it what is open.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import suppress
from typing import Self

from tradewind.domain.commands import VenueReport
from tradewind.domain.identifiers import OrderId
from tradewind.domain.market.ticks import MarketEvent, Quote, Trade
from tradewind.domain.market.timeframe import NS_PER_S
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.venue_reports import VenueCanceled, VenueReplaced, VenueReplaceRejected
from tradewind.engine.simulated_venue import SimulatedVenue
from tradewind.engine.venue_rules import VenueRules
from tradewind.operations.logging import get_logger
from tradewind.ports.clock import Clock
from tradewind.ports.errors import Unavailable
from tradewind.ports.ids import IdSource
from tradewind.ports.market_data import MarketDataSubscriber

WAITING_REPORTS_MAX = 100_000
"""Reports that wait to be read. At the bound the venue stops following the market until they are; none is dropped.

Orders, cancels and the clock still add theirs: at most a few for each order.
"""

SLEEP_S_MIN = 0.001
"""What falls due within a millisecond is done in one go: a timer for each would cost more than the work."""
SLEEP_S_MAX = 1.0
"""The timer looks at the clock at least this often, so that a clock that was set is noticed."""

_log = get_logger(__name__)


class PaperVenue:
    """Fills orders from live market data. Use it as an async context manager, or call `start` and `close`."""

    def __init__(
        self,
        *,
        rules: VenueRules,
        market_data: MarketDataSubscriber,
        clock: Clock,
        ids: IdSource,
        waiting_reports_max: int = WAITING_REPORTS_MAX,
    ) -> None:
        # A fresh prefix each start: execution ids stay unique although the count begins anew.
        self._machine = SimulatedVenue(rules, execution_prefix=ids.new_id())
        self._market_data = market_data
        self._clock = clock
        self._waiting_reports_max = waiting_reports_max
        self._reports: list[VenueReport] = []
        self._has_reports = asyncio.Event()
        self._has_room = asyncio.Event()
        self._is_due_earlier = asyncio.Event()
        self._wakes_at_ns: int | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def name(self) -> str:
        """For logs and metrics."""
        return "paper"

    @property
    def waiting_report_count(self) -> int:
        """How many reports wait to be read."""
        return len(self._reports)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Take over the latest quotes and follow the market. Without market data, orders wait for it."""
        stream = self._market_data.subscribe()
        try:
            for quote in (await self._market_data.latest_quotes()).values():
                self._keep(self._machine.on_quote(quote, self._clock.now_ns()))
        except Unavailable as error:
            _log.warning("paper venue starts without the latest quotes", reason=str(error))
        for work in (self._follow_market(stream), self._watch_clock()):
            task = asyncio.create_task(work)
            task.add_done_callback(self._on_task_done)
            self._tasks.append(task)

    async def close(self) -> None:
        """Stop. Open orders work on after the next start, when `reconcile` brings them back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def submit(self, orders: Sequence[Order]) -> None:
        """Send new orders."""
        for order in orders:
            self._keep(self._machine.submit(order, self._clock.now_ns()))
        self._hurry_timer()

    async def cancel(self, orders: Sequence[Order]) -> None:
        """Ask to cancel orders."""
        for order in orders:
            self._keep(self._machine.cancel(order, self._clock.now_ns()))
        self._hurry_timer()

    async def replace(self, old_order_id: OrderId, new_order: Order) -> None:
        """Ask to replace an order by another."""
        self._keep(self._machine.replace(old_order_id, new_order, self._clock.now_ns()))
        self._hurry_timer()

    async def reconcile(self, orders: Sequence[Order]) -> None:
        """Make the venue work exactly what these open orders say; other orders are left alone.

        What it knew of them, and reports on them that nobody read, is dropped: the orders given are the truth, and a
        fill that never reached them never happened. An order that waits for its cancellation is cancelled without
        working again; a replacement that waits for its turn is asked for again.
        """
        open_ids = {order.order_id for order in orders}
        self._drop(open_ids)
        replacements = []
        for order in sorted(orders, key=lambda order: order.submitted_at_ns):
            if _waits_to_replace(order, open_ids):
                replacements.append(order)
            elif order.status is OrderStatus.PENDING_CANCEL:
                self._keep([_canceled(order, self._clock.now_ns())])
            else:
                await self.submit((order,))
        for order in replacements:
            await self.replace(order.replaces or order.order_id, order)
            if order.status is OrderStatus.PENDING_CANCEL:
                await self.cancel((order,))

    async def forget(self, order_ids: Sequence[OrderId]) -> None:
        """Stop working on these orders, and drop the reports on them that were not read yet."""
        self._drop(set(order_ids))

    async def reports(self, timeout_s: float) -> Sequence[VenueReport]:
        """All reports that wait, in order; waits up to `timeout_s` for the first.

        Raises what stopped the venue, if it stopped.
        """
        if not self._reports:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._has_reports.wait()
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()
        reports = self._reports
        self._hold([])
        return reports

    def _keep(self, reports: Sequence[VenueReport]) -> None:
        if reports:
            self._reports.extend(reports)
            self._has_reports.set()

    def _hold(self, reports: list[VenueReport]) -> None:
        self._reports = reports
        if not reports:
            self._has_reports.clear()
        self._has_room.set()

    def _drop(self, order_ids: Collection[OrderId]) -> None:
        # Reports of the past few milliseconds on other orders come out first: they are not lost.
        self._keep(self._machine.advance(self._clock.now_ns()))
        self._machine.forget(order_ids)
        self._hold([report for report in self._reports if not _concerns(report, order_ids)])

    def _on_task_done(self, _: asyncio.Task[None]) -> None:
        self._has_reports.set()  # whoever waits in `reports` must learn of a failure

    async def _follow_market(self, stream: AsyncIterator[Sequence[MarketEvent]]) -> None:
        try:
            async for batch in stream:
                for event in batch:
                    while len(self._reports) >= self._waiting_reports_max:
                        self._has_room.clear()
                        await self._has_room.wait()
                    if isinstance(event, Quote):
                        self._keep(self._machine.on_quote(event, self._clock.now_ns()))
                    elif isinstance(event, Trade):
                        self._keep(self._machine.on_trade(event, self._clock.now_ns()))
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    async def _watch_clock(self) -> None:
        while True:
            now_ns = self._clock.now_ns()
            self._keep(self._machine.advance(now_ns))
            self._is_due_earlier.clear()
            self._wakes_at_ns = self._machine.next_due_ns
            delay_s = SLEEP_S_MAX
            if self._wakes_at_ns is not None:
                delay_s = max(min((self._wakes_at_ns - now_ns) / NS_PER_S, SLEEP_S_MAX), SLEEP_S_MIN)
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._is_due_earlier.wait()

    def _hurry_timer(self) -> None:
        due_ns = self._machine.next_due_ns
        if due_ns is not None and (self._wakes_at_ns is None or due_ns < self._wakes_at_ns):
            self._is_due_earlier.set()


def _waits_to_replace(order: Order, open_ids: Collection[OrderId]) -> bool:
    """Whether the venue still has to put `order` in the place of another: that one is open, or refused to go."""
    return order.replaces is not None and (
        order.replaces in open_ids or order.status is OrderStatus.PENDING_NEW
    )


def _canceled(order: Order, now_ns: int) -> VenueCanceled:
    return VenueCanceled(account_id=order.account_id, order_id=order.order_id, ts_ns=now_ns)


def _concerns(report: VenueReport, order_ids: Collection[OrderId]) -> bool:
    if isinstance(report, VenueReplaced | VenueReplaceRejected) and report.new_order_id in order_ids:
        return True
    return report.order_id in order_ids
