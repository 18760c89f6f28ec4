"""A place where orders trade."""

from collections.abc import Sequence
from typing import Protocol

from tradewind.domain.commands import VenueReport
from tradewind.domain.identifiers import OrderId
from tradewind.domain.orders.order import Order


class Venue(Protocol):
    """Takes orders that are committed, and reports on them in its own time.

    Calls return at once; what comes of them arrives as reports. A report may arrive twice: the core books it once.
    """

    @property
    def name(self) -> str:
        """What it is, for logs and metrics."""
        ...

    async def submit(self, orders: Sequence[Order]) -> None:
        """Send new orders."""
        ...

    async def cancel(self, orders: Sequence[Order]) -> None:
        """Ask to cancel orders."""
        ...

    async def replace(self, old_order_id: OrderId, new_order: Order) -> None:
        """Ask to replace an order by another."""
        ...

    async def reconcile(self, orders: Sequence[Order]) -> None:
        """After a restart: make the venue's view of these open orders and ours agree, by their ids.

        Orders that never reached the venue are sent, those in pending_cancel are cancelled again; what the venue did
        meanwhile arrives as reports.
        """
        ...

    async def forget(self, order_ids: Sequence[OrderId]) -> None:
        """Stop working on these orders: another replica owns their shard now. No reports follow."""
        ...

    async def reports(self, timeout_s: float) -> Sequence[VenueReport]:
        """Reports since the last call, in order; waits up to `timeout_s` for the first."""
        ...
