"""Sends to the venue what committed events ask of it, in their order."""

from collections.abc import Mapping, Sequence

from tradewind.domain.events import Event, OrderCancelRequested, OrderReplaceRequested, OrderSubmitted
from tradewind.domain.identifiers import OrderId
from tradewind.domain.orders.order import Order
from tradewind.ports.venue import Venue


async def dispatch(events: Sequence[Event], orders: Mapping[OrderId, Order], venue: Venue) -> None:
    """Submit, cancel and replace at the venue. Neighbouring submissions travel together."""
    submissions: list[Order] = []
    for event in events:
        if isinstance(event, OrderSubmitted):
            submissions.append(event.order)
            continue
        if not isinstance(event, OrderCancelRequested | OrderReplaceRequested):
            continue
        if submissions:
            await venue.submit(submissions)
            submissions = []
        if isinstance(event, OrderReplaceRequested):
            await venue.replace(event.order_id, event.order)
        elif event.order_id in orders:
            await venue.cancel([orders[event.order_id]])
    if submissions:
        await venue.submit(submissions)
