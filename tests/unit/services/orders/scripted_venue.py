"""A venue that says what a test tells it to say."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from tradewind.domain.commands import VenueReport
from tradewind.domain.identifiers import OrderId
from tradewind.domain.orders.order import Order


class ScriptedVenue:
    """Implements `tradewind.ports.venue.Venue`; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, OrderId]] = []
        self._reports: list[VenueReport] = []
        self._has_reports = asyncio.Event()

    @property
    def name(self) -> str:
        return "scripted"

    def say(self, *reports: VenueReport) -> None:
        self._reports.extend(reports)
        self._has_reports.set()

    async def was_asked(self, what: str, order_id: OrderId) -> None:
        async with asyncio.timeout(5):
            while (what, order_id) not in self.asked:  # noqa: ASYNC110 - requests come when they come
                await asyncio.sleep(0.005)

    async def submit(self, orders: Sequence[Order]) -> None:
        self.asked += [("submit", order.order_id) for order in orders]

    async def cancel(self, orders: Sequence[Order]) -> None:
        self.asked += [("cancel", order.order_id) for order in orders]

    async def replace(self, old_order_id: OrderId, new_order: Order) -> None:
        self.asked.append(("replace", new_order.order_id))

    async def reconcile(self, orders: Sequence[Order]) -> None:
        self.asked += [("reconcile", order.order_id) for order in orders]

    async def forget(self, order_ids: Sequence[OrderId]) -> None:
        self.asked += [("forget", order_id) for order_id in order_ids]

    async def reports(self, timeout_s: float) -> Sequence[VenueReport]:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._has_reports.wait()
        reports, self._reports = self._reports, []
        self._has_reports.clear()
        return reports
