"""Cancelling and replacing, and everything that may overtake them on the way to the venue."""

from decimal import Decimal

import pytest

from tests.core_scenarios import Desk, order_uuid, refusal_of, the
from tradewind.domain.events import (
    OrderAcknowledged,
    OrderCancelRequested,
    OrderExecuted,
    OrderReplaced,
    OrderReplaceRejected,
)
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.reject_codes import RejectCode

NOTHING = Decimal(0)


@pytest.fixture
def desk() -> Desk:
    """An account with 10,000 and one order, A, to buy 10 at 100."""
    desk = Desk(cash="10000")
    desk.working("buy 10 AAPL limit 100 gtc")
    return desk


def test_a_cancel_waits_for_the_venue(desk: Desk) -> None:
    desk.cancel()
    assert (desk.order().status, desk.account.cash_held) == (OrderStatus.PENDING_CANCEL, Decimal(1000))
    assert desk.cancel() == [], "asking again changes nothing"
    desk.canceled("A")
    assert (desk.order().status, desk.order().canceled_at_ns) == (OrderStatus.CANCELED, desk.now_ns)
    assert desk.money == (Decimal(10000), NOTHING)
    assert refusal_of(desk.cancel()).code is RejectCode.ORDER_TERMINAL


def test_a_fill_overtakes_the_cancel(desk: Desk) -> None:
    desk.cancel()
    desk.fill("A", "4", "100")
    assert desk.order().status is OrderStatus.PENDING_CANCEL
    desk.fill("A", "6", "100")
    assert desk.order().status is OrderStatus.FILLED
    assert desk.canceled("A") == []
    assert desk.cancel_rejected("A") == []


def test_the_venue_refuses_to_cancel(desk: Desk) -> None:
    desk.cancel()
    desk.cancel_rejected("A")
    assert desk.order().status is OrderStatus.NEW
    desk.fill("A", "1", "100")
    desk.cancel()
    desk.cancel_rejected("A")
    assert desk.order().status is OrderStatus.PARTIALLY_FILLED


def test_a_cancel_may_come_before_the_acknowledgement() -> None:
    desk = Desk()
    desk.submit("buy 1 AAPL limit 90")
    desk.cancel()
    assert desk.accepted("A") == []
    desk.canceled("A")
    assert desk.order().status is OrderStatus.CANCELED


def test_an_unknown_order_cannot_be_cancelled(desk: Desk) -> None:
    refusal = refusal_of(desk.cancel("Z"))
    assert (refusal.code, refusal.value) == (RejectCode.ORDER_NOT_FOUND, order_uuid("Z"))


def test_cancel_all_takes_what_is_not_on_its_way_already(desk: Desk) -> None:
    desk.working("buy 1 AAPL limit 90", "B")
    desk.working("buy 1 AAPL limit 80", "D")
    desk.cancel("B")
    events = desk.cancel_all()
    assert [the([event], OrderCancelRequested).order_id for event in events] == [
        order_uuid("A"),
        order_uuid("D"),
    ]
    assert desk.cancel_all() == []


def test_a_replacement_takes_over_when_the_venue_says_so(desk: Desk) -> None:
    desk.replace("A", "B", limit_price="110")
    assert desk.order("A").status is OrderStatus.PENDING_REPLACE
    assert desk.account.cash_held == 1100, "only what is needed on top is reserved"
    desk.replaced("A", "B")
    old, new = desk.order("A"), desk.order("B")
    assert (old.status, old.replaced_by) == (OrderStatus.REPLACED, new.order_id)
    assert (new.status, new.replaces, new.held_cash) == (OrderStatus.NEW, old.order_id, Decimal(1100))
    assert list(desk.account.open_orders) == [new.order_id]


def test_a_cheaper_replacement_gives_money_back(desk: Desk) -> None:
    desk.replace("A", "B", limit_price="90")
    assert desk.account.cash_held == 1000, "not before the old order is off the market"
    desk.replaced("A", "B")
    assert desk.account.cash_held == 900


def test_a_replacement_carries_the_fills_on(desk: Desk) -> None:
    desk.fill("A", "4", "99")
    desk.replace("A", "B", qty="12")
    desk.replaced("A", "B")
    new = desk.order("B")
    assert (new.status, new.filled_qty, new.leaves_qty) == (
        OrderStatus.PARTIALLY_FILLED,
        Decimal(4),
        Decimal(8),
    )
    assert (new.filled_value, new.held_cash) == (Decimal(396), Decimal(800))
    desk.fill("B", "8", "100")
    assert (new.status, new.average_fill_price) == (OrderStatus.FILLED, Decimal("99.666666667"))
    assert desk.position().qty == 12
    assert desk.money == (Decimal(8804), NOTHING)


def test_a_fill_overtakes_the_replacement(desk: Desk) -> None:
    desk.replace("A", "B", qty="12", limit_price="101")
    desk.fill("A", "5", "100")
    assert desk.order("A").status is OrderStatus.PENDING_REPLACE
    desk.replaced("A", "B")
    assert (desk.order("B").filled_qty, desk.order("B").held_cash) == (Decimal(5), Decimal(707))
    desk.fill("B", "7", "101")
    assert desk.money[1] == 0


def test_the_old_order_fills_completely_before_the_replacement(desk: Desk) -> None:
    desk.replace("A", "B", qty="12")
    desk.fill("A", "10", "100")
    assert desk.order("A").status is OrderStatus.FILLED
    desk.replace_rejected("A", "B")
    assert (desk.order("A").status, desk.order("B").status) == (OrderStatus.FILLED, OrderStatus.REJECTED)
    assert desk.money == (Decimal(9000), NOTHING)


def test_a_refused_replacement_puts_the_old_order_back(desk: Desk) -> None:
    desk.fill("A", "1", "100")
    desk.replace("A", "B", limit_price="120")
    event = the(desk.replace_rejected("A", "B"), OrderReplaceRejected)
    assert event.status is OrderStatus.PARTIALLY_FILLED
    assert desk.order("B").status is OrderStatus.REJECTED
    assert desk.account.cash_held == 900


def test_a_late_refusal_of_a_replacement_that_happened_is_ignored(desk: Desk) -> None:
    desk.replace("A", "B", limit_price="101")
    desk.replaced("A", "B")
    assert desk.replace_rejected("A", "B") == []
    assert desk.order("B").status is OrderStatus.NEW


def test_a_refusal_of_a_replacement_that_trades_is_ignored(desk: Desk) -> None:
    desk.replace("A", "B", qty="12")
    desk.fill("A", "10", "100")
    desk.fill("B", "1", "100")  # a venue that contradicts itself
    assert desk.replace_rejected("A", "B") == []
    assert desk.order("B").status is OrderStatus.PARTIALLY_FILLED


def test_a_fill_of_the_new_order_says_that_it_replaced_the_old_one(desk: Desk) -> None:
    desk.fill("A", "2", "100")
    desk.replace("A", "B", qty="5")
    events = desk.fill("B", "3", "100")
    assert [type(event) for event in events] == [OrderReplaced, OrderExecuted]
    assert (desk.order("A").status, desk.order("B").status) == (OrderStatus.REPLACED, OrderStatus.FILLED)
    assert desk.replaced("A", "B") == []
    assert desk.position().qty == 5
    assert desk.money == (Decimal(9500), NOTHING)


def test_other_reports_on_the_new_order_say_so_too(desk: Desk) -> None:
    desk.replace("A", "B", qty="5")
    assert [type(event) for event in desk.accepted("B")] == [OrderReplaced]
    desk.replace("B", "D", qty="6")
    desk.canceled("D")
    assert [desk.order(name).status for name in "ABD"] == ["replaced", "replaced", "canceled"]
    assert desk.money == (Decimal(10000), NOTHING)


def test_a_rejected_new_order_leaves_the_old_one_working(desk: Desk) -> None:
    desk.replace("A", "B", qty="5")
    the(desk.rejected("B"), OrderReplaceRejected)
    assert (desk.order("A").status, desk.order("B").status) == (OrderStatus.NEW, OrderStatus.REJECTED)


def test_an_order_that_waits_for_its_replacement_can_be_rejected_by_the_venue(desk: Desk) -> None:
    desk.replace("A", "B", qty="5")
    desk.rejected("A")
    desk.replace_rejected("A", "B")
    assert (desk.order("A").status, desk.order("B").status) == (OrderStatus.REJECTED, OrderStatus.REJECTED)
    assert desk.money == (Decimal(10000), NOTHING)


def test_cancelling_a_replacement_that_is_on_its_way(desk: Desk) -> None:
    desk.replace("A", "B", qty="5")
    assert refusal_of(desk.cancel("A")).code is RejectCode.ORDER_BEING_REPLACED
    desk.cancel("B")
    desk.replaced("A", "B")
    assert desk.order("B").status is OrderStatus.PENDING_CANCEL
    desk.canceled("B")
    assert desk.money == (Decimal(10000), NOTHING)


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({}, "ORDER_UNCHANGED"),
        ({"qty": "10"}, "ORDER_UNCHANGED"),
        ({"qty": "3"}, "QTY_ALREADY_FILLED"),
        ({"qty": "2"}, "QTY_ALREADY_FILLED"),
        ({"limit_price": "100.001"}, "LIMIT_PRICE_INCREMENT"),
        ({"stop_price": "90"}, "STOP_PRICE_NOT_ALLOWED"),
        ({"qty": "200"}, "INSUFFICIENT_BUYING_POWER"),
    ],
)
def test_a_replacement_that_breaks_a_rule(desk: Desk, terms: dict[str, str], code: str) -> None:
    desk.fill("A", "3", "100")
    assert refusal_of(desk.replace("A", "B", **terms)).code.name == code
    assert desk.order("A").status is OrderStatus.PARTIALLY_FILLED


def test_what_the_old_order_reserves_counts_for_the_new_one() -> None:
    desk = Desk(cash="1000")
    desk.working("buy 10 AAPL limit 100 gtc")
    desk.replace("A", "B", qty="8", limit_price="125")
    desk.replaced("A", "B")
    assert desk.money == (NOTHING, Decimal(1000))
    assert refusal_of(desk.replace("B", "D", limit_price="126")).code is RejectCode.INSUFFICIENT_BUYING_POWER


def test_orders_that_cannot_be_replaced() -> None:
    desk = Desk()
    desk.working("buy $500 AAPL market", "N")
    assert refusal_of(desk.replace("N", "B", qty="5")).message == "cannot replace a notional order"
    desk.submit("buy 1 AAPL limit 90", "P")
    refusal = refusal_of(desk.replace("P", "B", qty="5"))
    assert refusal.message == "cannot replace order in pending_new status"
    desk.canceled("P")
    assert refusal_of(desk.replace("P", "B", qty="5")).code is RejectCode.ORDER_TERMINAL
    assert refusal_of(desk.replace("Z", "B", qty="5")).code is RejectCode.ORDER_NOT_FOUND


def test_the_same_replacement_again_changes_nothing(desk: Desk) -> None:
    desk.replace("A", "B", client_order_id="mine", qty="12")
    assert desk.replace("A", "Z", client_order_id="mine", qty="12") == []
    refusal = refusal_of(desk.replace("A", "Z", client_order_id="mine", qty="13"))
    assert refusal.code is RejectCode.CLIENT_ORDER_ID_CONFLICT


def test_a_closing_order_is_replaced_within_the_position(desk: Desk) -> None:
    desk.fill("A", "10", "100")
    desk.working("sell 4 AAPL limit 110 gtc", "S")
    desk.fill("S", "1", "110")
    desk.replace("S", "T", qty="10")
    assert desk.position().held_qty == 9
    desk.replaced("S", "T")
    assert (desk.order("T").held_qty, desk.position().available_qty) == (Decimal(9), Decimal(0))
    assert refusal_of(desk.replace("T", "U", qty="11")).code is RejectCode.INSUFFICIENT_QTY
    desk.canceled("T")
    assert desk.position().available_qty == 9


def test_acknowledgement_and_fill_in_any_order_of_two_replacements(desk: Desk) -> None:
    the(desk.replace("A", "B", qty="11"), type(desk.history[-1][1]))
    desk.replaced("A", "B")
    assert not any(isinstance(event, OrderAcknowledged) for event in desk.accepted("B"))
    desk.replace("B", "D", qty="12")
    desk.fill("B", "11", "100")
    desk.replace_rejected("B", "D")
    assert [desk.order(name).status for name in "ABD"] == ["replaced", "filled", "rejected"]
    assert desk.money == (Decimal(8900), NOTHING)
