"""Our working orders of one symbol in price-time priority, and what the market shows of it.

Looking at the best order costs O(1), adding and removing O(log n). A removed order stays in its heap as a dead
entry until it comes to the top or the dead outnumber the living.
"""

from decimal import Decimal
from heapq import heapify, heappop, heappush

from tradewind.domain.decimals import ZERO
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.market.ticks import Quote
from tradewind.domain.orders.terms import OrderType, Side
from tradewind.engine.working_order import WorkingOrder, smallest_step

DEAD_ENTRIES_MIN = 64
"""A heap is rebuilt when it holds more dead entries than living ones, and more than this."""


class PriceTimeQueue:
    """Orders by price, then by `arrival`. An order is in at most one queue, with an arrival that nobody else has."""

    __slots__ = ("_dead", "_direction", "_heap")

    def __init__(self, direction: int) -> None:
        """`direction` is 1 for the lowest price first and -1 for the highest first."""
        self._heap: list[tuple[Decimal, int, WorkingOrder]] = []
        self._direction = direction
        self._dead = 0

    def __len__(self) -> int:
        return len(self._heap) - self._dead

    @property
    def entry_count(self) -> int:
        """Living and dead entries: what the queue costs in memory."""
        return len(self._heap)

    def add(self, order: WorkingOrder, price: Decimal, arrival: int) -> None:
        """Put `order` in line."""
        order.arrival = arrival
        heappush(self._heap, (price * self._direction, arrival, order))

    def remove(self, order: WorkingOrder) -> None:
        """Take `order`, which is in this queue, out of line."""
        order.arrival = 0
        self._dead += 1
        if self._dead > DEAD_ENTRIES_MIN and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].arrival == entry[1]]
            heapify(self._heap)
            self._dead = 0

    def first_reached(self, price: Decimal) -> WorkingOrder | None:
        """The first in line, if the market's `price` is at its price or beyond, seen from the front of the line."""
        heap = self._heap
        while heap and heap[0][0] <= price * self._direction:
            _, arrival, order = heap[0]
            if order.arrival == arrival:
                return order
            self._drop_dead_top()
        return None

    def first_passed(self, price: Decimal) -> WorkingOrder | None:
        """The first in line, if the market's `price` is beyond its price."""
        heap = self._heap
        while heap and heap[0][0] < price * self._direction:
            _, arrival, order = heap[0]
            if order.arrival == arrival:
                return order
            self._drop_dead_top()
        return None

    def _drop_dead_top(self) -> None:
        heappop(self._heap)
        self._dead -= 1


class SideBook:
    """Our orders of one side of a symbol, and the touch that they trade with (buys: the ask; sells: the bid).

    `touch_size` is what our fills have left of the size shown; zero when there is no quote.
    """

    __slots__ = ("limits", "markets", "side", "stops", "touch_price", "touch_size")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.markets = PriceTimeQueue(1)
        self.limits = PriceTimeQueue(-1 if side is Side.BUY else 1)
        self.stops = PriceTimeQueue(1 if side is Side.BUY else -1)
        self.touch_price = ZERO
        self.touch_size = ZERO

    @property
    def has_touch(self) -> bool:
        """Whether the market has shown a price to trade with (its size may be used up)."""
        return self.touch_price > 0

    def show(self, price: Decimal, size: Decimal) -> None:
        """Take over the market's new touch. A price or size of zero says that nobody is there."""
        self.touch_price = price if size > 0 else ZERO
        self.touch_size = size if price > 0 else ZERO

    def is_marketable(self, limit_price: Decimal) -> bool:
        """Whether a limit order at `limit_price` could trade at the touch."""
        if self.side is Side.BUY:
            return self.has_touch and limit_price >= self.touch_price
        return self.has_touch and limit_price <= self.touch_price

    def touch_triggers(self, stop_price: Decimal) -> bool:
        """Whether the touch is at `stop_price` or beyond."""
        if self.side is Side.BUY:
            return self.has_touch and self.touch_price >= stop_price
        return self.has_touch and self.touch_price <= stop_price

    def queue_of(self, order: WorkingOrder) -> PriceTimeQueue:
        """The queue that an order of this type waits in."""
        if order.order_type is OrderType.LIMIT:
            return self.limits
        return self.markets if order.order_type is OrderType.MARKET else self.stops

    def add(self, order: WorkingOrder, arrival: int) -> None:
        """Let `order` wait."""
        if order.order_type is OrderType.LIMIT:
            self.limits.add(order, order.limit, arrival)
        elif order.order_type is OrderType.MARKET:
            self.markets.add(order, ZERO, arrival)
        else:
            self.stops.add(order, order.stop, arrival)

    def remove(self, order: WorkingOrder) -> None:
        """Stop waiting; an order that waits nowhere is no error."""
        if order.arrival:
            self.queue_of(order).remove(order)


class SymbolBook:
    """Both sides of one instrument. `step` is the quantity increment of its fills."""

    __slots__ = ("buys", "instrument", "sells", "sides", "step")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.step = smallest_step(instrument)
        self.buys = SideBook(Side.BUY)
        self.sells = SideBook(Side.SELL)
        self.sides = (self.buys, self.sells)

    def side(self, side: Side) -> SideBook:
        """Our orders of `side`."""
        return self.buys if side is Side.BUY else self.sells

    def show(self, quote: Quote) -> None:
        """Take over a quote: whatever we used up of the last one is forgotten."""
        self.buys.show(quote.ask_price, quote.ask_size)
        self.sells.show(quote.bid_price, quote.bid_size)
