"""What the simulated venue still has to do, by time: requests on their way to it, and sessions that will end."""

from collections.abc import Set as AbstractSet
from heapq import heapify, heappop, heappush

import msgspec

from tradewind.domain.identifiers import AccountId, OrderId
from tradewind.engine.working_order import WorkingOrder


class NewOrderArrives(msgspec.Struct, frozen=True):
    """A new order reaches the venue."""

    order: WorkingOrder


class CancelArrives(msgspec.Struct, frozen=True):
    """A request to cancel reaches the venue."""

    account_id: AccountId
    order_id: OrderId


class ReplaceArrives(msgspec.Struct, frozen=True):
    """A request to work `new_order` in place of another reaches the venue."""

    old_order_id: OrderId
    new_order: WorkingOrder


class SessionEnds(msgspec.Struct, frozen=True):
    """The DAY orders of a session expire."""


Request = NewOrderArrives | CancelArrives | ReplaceArrives
Item = Request | SessionEnds
_SESSION_ENDS = SessionEnds()


class VenueAgenda:
    """A heap of due times. Items that are due together come in the order in which they were noted."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Item]] = []
        self._noted = 0
        self._expiring: dict[int, dict[OrderId, WorkingOrder]] = {}

    @property
    def next_due_ns(self) -> int | None:
        """When the next item is due."""
        return self._heap[0][0] if self._heap else None

    def note(self, due_ns: int, item: Item) -> None:
        """Remember an item."""
        self._noted += 1
        heappush(self._heap, (due_ns, self._noted, item))

    def pop_due(self, now_ns: int) -> tuple[int, Item] | None:
        """The next item that is due at `now_ns`, with the time it was due."""
        if not self._heap or self._heap[0][0] > now_ns:
            return None
        due_ns, _, item = heappop(self._heap)
        return due_ns, item

    def watch_expiry(self, order: WorkingOrder, expires_at_ns: int) -> None:
        """Let `order` expire. One item serves all orders of a session, so orders that end earlier leave nothing."""
        expiring = self._expiring.get(expires_at_ns)
        if expiring is None:
            expiring = self._expiring[expires_at_ns] = {}
            self.note(expires_at_ns, _SESSION_ENDS)
        expiring[order.order_id] = order

    def drop_expiry(self, order: WorkingOrder) -> None:
        """`order` is done: it will not expire."""
        if order.expires_at_ns is not None:
            self._expiring.get(order.expires_at_ns, {}).pop(order.order_id, None)

    def take_expired(self, expires_at_ns: int) -> list[WorkingOrder]:
        """The orders that expire then, in the order in which they came; each is given once."""
        return list(self._expiring.pop(expires_at_ns, {}).values())

    def forget(self, order_ids: AbstractSet[OrderId]) -> None:
        """Drop the requests about these orders that are on their way. Costs O(requests on their way)."""
        self._heap = [entry for entry in self._heap if order_ids.isdisjoint(_orders_of(entry[2]))]
        heapify(self._heap)


def _orders_of(item: Item) -> tuple[OrderId, ...]:
    if isinstance(item, NewOrderArrives):
        return (item.order.order_id,)
    if isinstance(item, CancelArrives):
        return (item.order_id,)
    if isinstance(item, ReplaceArrives):
        return (item.old_order_id, item.new_order.order_id)
    return ()
