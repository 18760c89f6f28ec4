"""The table of an order's life: what holds for every path through it."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.domain.orders.state_machine import (
    LEGAL_TRANSITIONS,
    OPEN_STATUSES,
    TERMINAL_STATUSES,
    IllegalTransition,
    OrderStatus,
    require_legal,
)

ARROWS = {(before, after) for before, targets in LEGAL_TRANSITIONS.items() for after in targets}


@pytest.mark.parametrize(("before", "after"), list(product(OrderStatus, OrderStatus)))
def test_exactly_the_arrows_of_the_table_are_legal(before: OrderStatus, after: OrderStatus) -> None:
    if (before, after) in ARROWS:
        require_legal(before, after)
        return
    with pytest.raises(IllegalTransition, match=f"from {before} to {after}"):
        require_legal(before, after)


def test_every_status_is_open_or_done() -> None:
    assert set(OrderStatus) == OPEN_STATUSES | TERMINAL_STATUSES
    assert not OPEN_STATUSES & TERMINAL_STATUSES
    assert {"filled", "canceled", "expired", "replaced", "rejected"} == TERMINAL_STATUSES
    assert all(status.is_terminal == (status in TERMINAL_STATUSES) for status in OrderStatus)


@given(st.data())
def test_every_walk_ends_where_nothing_more_can_happen_and_never_begins_anew(data: st.DataObject) -> None:
    status = OrderStatus.PENDING_NEW
    for _ in range(30):
        targets = sorted(LEGAL_TRANSITIONS[status])
        if not targets:
            assert status in TERMINAL_STATUSES
            return
        status = data.draw(st.sampled_from(targets))
        assert status is not OrderStatus.PENDING_NEW
    assert status in OPEN_STATUSES or status.is_terminal


@pytest.mark.parametrize("status", sorted(OPEN_STATUSES))
def test_whatever_is_open_can_fill_expire_and_be_cancelled(status: OrderStatus) -> None:
    for end in (OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED):
        require_legal(status, end)
