"""What can become of an order in each status, written down as a trader knows it."""

from itertools import product

import pytest

from tests.venue_scenarios import order
from tradewind.domain.orders.state_machine import IllegalTransition, OrderStatus

CAN_BECOME = {
    # The venue's answer, which a fill, our cancel or the session's end may come before.
    "pending_new": "new partially_filled filled canceled expired rejected pending_cancel",
    # Working. A venue may still throw out what it has acknowledged.
    "new": "partially_filled filled canceled expired rejected pending_cancel pending_replace",
    # It has traded: from here on it cannot be rejected, only end with what it got.
    "partially_filled": "partially_filled filled canceled expired pending_cancel pending_replace",
    # Asked to cancel: done; or refused, and the order is back where it was; or fills come first.
    "pending_cancel": "pending_cancel new partially_filled filled canceled expired rejected",
    # Asked to replace: the same, and there is a new order in its place. It cannot be asked to cancel meanwhile.
    "pending_replace": "pending_replace new partially_filled filled canceled expired rejected replaced",
    # Done is done.
    "filled": "",
    "canceled": "",
    "expired": "",
    "replaced": "",
    "rejected": "",
}
BEFORE_NS, NOW_NS = 1_000, 2_000


def test_every_status_has_a_row() -> None:
    assert CAN_BECOME.keys() == set(OrderStatus)


@pytest.mark.parametrize(("before", "after"), list(product(CAN_BECOME, CAN_BECOME)))
def test_an_order_takes_the_steps_of_the_table_and_no_other(before: str, after: str) -> None:
    moving = order("buy 10 limit 9.5", status=OrderStatus(before), submitted_at_ns=BEFORE_NS)
    if after in CAN_BECOME[before].split():
        moving.move_to(OrderStatus(after), NOW_NS)
        assert (moving.status, moving.updated_at_ns) == (after, NOW_NS)
        return
    with pytest.raises(IllegalTransition, match=f"an order cannot go from {before} to {after}"):
        moving.move_to(OrderStatus(after), NOW_NS)
    assert moving.status == before, "a step that is refused changes nothing"


@pytest.mark.parametrize("status", CAN_BECOME)
def test_an_order_is_open_until_nothing_can_become_of_it(status: str) -> None:
    standing = order("sell 10 market", status=OrderStatus(status))
    assert standing.is_open == bool(CAN_BECOME[status])
    assert standing.status.is_terminal != standing.is_open


def test_a_partly_filled_order_shows_what_is_left_and_its_average_price() -> None:
    # 30 at 10.00 and 10 at 10.10
    working = order("buy 100 limit 10.25", filled_qty="40", filled_value="401")
    assert working.leaves_qty == 60
    assert str(working.average_fill_price) == "10.025000000"


def test_an_average_that_never_ends_is_rounded_to_nine_decimals() -> None:
    assert str(order("buy 3 market", filled_qty="3", filled_value="20").average_fill_price) == "6.666666667"


def test_an_order_that_has_not_traded_has_no_average_price() -> None:
    assert order("buy 100 limit 10.25").average_fill_price is None


def test_an_order_by_value_has_no_number_of_units_left() -> None:
    assert order("buy $500 market", filled_qty="2", filled_value="400").leaves_qty == 0
