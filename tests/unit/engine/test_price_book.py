"""The price-time queue: order of service, and memory that follows the living orders."""

from decimal import Decimal

from tests.venue_scenarios import order
from tradewind.engine.price_book import DEAD_ENTRIES_MIN, PriceTimeQueue
from tradewind.engine.working_order import WorkingOrder


def _working(order_id: str) -> WorkingOrder:
    return WorkingOrder.of(order("buy 1 limit 10", order_id=order_id), None)


def test_the_highest_price_is_served_first_then_the_earliest() -> None:
    queue = PriceTimeQueue(-1)
    for arrival, (name, price) in enumerate([("a", "10"), ("b", "11"), ("c", "11")], start=1):
        queue.add(_working(name), Decimal(price), arrival)
    served = []
    while (first := queue.first_reached(Decimal(10))) is not None:
        served.append(first.order_id)
        queue.remove(first)
    assert served == ["b", "c", "a"]
    assert len(queue) == 0


def test_reached_includes_the_price_and_passed_does_not() -> None:
    queue = PriceTimeQueue(1)
    queue.add(_working("a"), Decimal(10), 1)
    assert queue.first_reached(Decimal("9.99")) is None
    assert queue.first_passed(Decimal(10)) is None
    assert queue.first_reached(Decimal(10)) is not None
    assert queue.first_passed(Decimal("10.01")) is not None


def test_orders_removed_from_the_middle_do_not_pile_up() -> None:
    queue = PriceTimeQueue(1)
    queue.add(_working("stays"), Decimal(1), 1)
    for arrival in range(2, 5_000):
        passing = _working(str(arrival))
        queue.add(passing, Decimal(100), arrival)
        queue.remove(passing)
        assert queue.entry_count <= 2 * DEAD_ENTRIES_MIN + 2
    assert len(queue) == 1


def test_a_removed_order_may_queue_again_and_counts_once() -> None:
    queue = PriceTimeQueue(1)
    ours = _working("a")
    queue.add(ours, Decimal(10), 1)
    queue.remove(ours)
    queue.add(ours, Decimal(12), 2)
    assert queue.first_reached(Decimal(11)) is None
    assert queue.first_passed(Decimal(13)) is ours
    assert len(queue) == 1
