"""Executions: what they do to orders, positions, profit and reserved money."""

from decimal import Decimal

from tests.core_scenarios import Desk, refusal_of, the
from tradewind.domain.events import OrderCanceled, OrderExecuted, OrderRejected
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.orders.terms import Side
from tradewind.domain.reject_codes import RejectCode

NOTHING = Decimal(0)


def test_partial_fills_add_up() -> None:
    desk = Desk(cash="10000")
    desk.working("buy 10 AAPL limit 100")
    desk.fill("A", "4", "99", fee="0.5")
    order = desk.order()
    assert (order.status, order.filled_qty, order.leaves_qty) == (
        OrderStatus.PARTIALLY_FILLED,
        Decimal(4),
        Decimal(6),
    )
    assert desk.money == (Decimal("9003.5"), Decimal(600)), "what is filled below the limit is free again"
    desk.fill("A", "6", "100")
    assert (order.status, order.filled_qty) == (OrderStatus.FILLED, Decimal(10))
    assert order.average_fill_price == Decimal("99.6")
    assert desk.money == (Decimal("9003.5"), NOTHING)
    assert desk.position().average_entry_price == Decimal("99.6")
    assert not desk.account.open_orders


def test_a_fill_may_come_before_the_acknowledgement() -> None:
    desk = Desk()
    desk.submit("buy 2 AAPL limit 100")
    desk.fill("A", "1", "100")
    assert desk.accepted("A") == []
    assert desk.order().status is OrderStatus.PARTIALLY_FILLED


def test_a_repeated_execution_is_booked_once() -> None:
    desk = Desk()
    desk.working("buy 10 AAPL limit 100")
    desk.fill("A", "4", "100", execution_id="X")
    assert desk.fill("A", "4", "100", execution_id="X") == []
    desk.fill("A", "6", "100", execution_id="Y")
    assert desk.fill("A", "6", "100", execution_id="Y") == [], "also when the order is done"
    assert desk.position().qty == 10


def test_selling_realises_profit_at_the_average_entry_price() -> None:
    desk = Desk(cash="10000")
    for name, price in (("A", "100"), ("B", "110")):
        desk.working(f"buy 10 AAPL limit {price}", name)
        desk.fill(name, "10", price)
    desk.working("sell 15 AAPL limit 120", "S")
    assert desk.position().available_qty == 5
    event = the(desk.fill("S", "15", "120"), OrderExecuted)
    assert (event.realised_pnl, event.position_qty) == (Decimal(225), Decimal(5))
    assert desk.position().average_entry_price == 105
    assert desk.position().realised_pnl == 225
    assert desk.money == (Decimal(9700), NOTHING)


def test_short_and_cover() -> None:
    desk = Desk(cash="10000", multiplier="2")
    desk.working("sell 10 AAPL limit 100", "S")
    desk.fill("S", "10", "100")
    assert (desk.position().qty, desk.position().average_entry_price) == (Decimal(-10), Decimal(100))
    assert desk.account.cash == 11000
    desk.working("buy 10 AAPL limit 90", "B")
    assert desk.order("B").held_qty == 10, "a cover reserves units, not money"
    desk.fill("B", "4", "90")
    desk.fill("B", "6", "80")
    assert (desk.position().qty, desk.position().realised_pnl) == (Decimal(0), Decimal(160))
    assert desk.money == (Decimal(10160), NOTHING)


def test_a_loss_is_realised_too() -> None:
    desk = Desk(cash="10000", multiplier="2")
    desk.working("sell 1 AAPL limit 100", "S")
    desk.fill("S", "1", "100")
    desk.working("buy 1 AAPL limit 130", "B")
    assert the(desk.fill("B", "1", "130"), OrderExecuted).realised_pnl == -30


def test_two_opening_orders_may_flip_a_position() -> None:
    desk = Desk(cash="10000", multiplier="2")
    desk.working("buy 5 AAPL limit 99", "B")
    desk.working("sell 8 AAPL limit 101", "S")
    desk.fill("B", "5", "99")
    event = the(desk.fill("S", "8", "101"), OrderExecuted)
    assert (event.position_qty, event.realised_pnl) == (Decimal(-3), Decimal(10))
    assert desk.position().cost_basis == -303
    assert desk.money[1] == 0


def test_a_closing_order_whose_position_went_meanwhile_still_releases_everything() -> None:
    desk = Desk(cash="10000", multiplier="2")
    desk.working("buy 5 AAPL limit 99", "B")
    desk.working("sell 5 AAPL limit 101", "S")  # opens a short as long as the buy is not filled
    desk.fill("B", "5", "99")
    desk.working("sell 5 AAPL limit 102", "C")  # closes
    desk.fill("S", "5", "101")
    assert desk.position().qty == 0
    desk.fill("C", "5", "102")
    assert (desk.position().qty, desk.position().held_qty) == (Decimal(-5), Decimal(0))
    assert desk.money[1] == 0


def test_a_notional_buy_ends_when_the_venue_says_so() -> None:
    desk = Desk(cash="1000")
    desk.submit("buy $500 AAPL market")
    desk.fill("A", "2", "100.01")
    assert desk.order().status is OrderStatus.PARTIALLY_FILLED
    desk.fill("A", "2.999", "100", is_complete=True)
    assert desk.order().status is OrderStatus.FILLED
    assert desk.position().qty == Decimal("4.999")
    assert desk.money == (Decimal("500.08"), NOTHING)


def test_a_notional_sell_reserves_the_position_and_shrinks_with_it() -> None:
    desk = Desk(cash="1000")
    desk.working("buy 10 AAPL limit 100", "B")
    desk.fill("B", "10", "100")
    desk.working("sell $300 AAPL market", "S")
    assert desk.position().available_qty == 0
    desk.fill("S", "2", "100")
    assert (desk.position().qty, desk.position().available_qty) == (Decimal(8), Decimal(0))
    desk.fill("S", "1", "100", is_complete=True)
    assert (desk.position().qty, desk.position().available_qty) == (Decimal(7), Decimal(7))


def test_a_notional_sell_worth_more_than_the_position_is_refused() -> None:
    desk = Desk(cash="1000")
    desk.working("buy 2 AAPL limit 100", "B")
    desk.fill("B", "2", "100")
    refusal = desk.refused("sell $200.01 AAPL market", "S")
    assert (refusal.code, refusal.field) == (RejectCode.INSUFFICIENT_QTY, "notional")
    assert (refusal.value, refusal.allowed) == ("200.01", "at most 200")
    desk.working("sell $200 AAPL market", "T")


def test_an_ioc_order_is_cancelled_by_the_venue_with_what_it_got() -> None:
    desk = Desk()
    desk.working("buy 10 AAPL limit 100 ioc")
    desk.fill("A", "3", "100")
    event = the(desk.canceled("A"), OrderCanceled)
    assert event.released_cash == 700
    assert (desk.order().status, desk.order().filled_qty) == (OrderStatus.CANCELED, Decimal(3))
    assert desk.position().qty == 3


def test_a_fok_order_that_cannot_fill_leaves_nothing() -> None:
    desk = Desk(cash="10000")
    desk.working("buy 10 AAPL limit 100 fok")
    desk.canceled("A")
    assert desk.order().status is OrderStatus.CANCELED
    assert desk.money == (Decimal(10000), NOTHING)
    assert not desk.account.positions


def test_a_day_order_expires() -> None:
    desk = Desk()
    desk.working("buy 10 AAPL limit 100 day")
    desk.expired("A")
    assert (desk.order().status, desk.order().expired_at_ns) == (OrderStatus.EXPIRED, desk.now_ns)
    assert desk.expired("A") == []


def test_a_rejected_order_gives_everything_back() -> None:
    desk = Desk(cash="10000")
    desk.submit("buy 10 AAPL limit 100")
    event = the(desk.rejected("A", "halted at the venue"), OrderRejected)
    assert event.released_cash == 1000
    assert (desk.order().status, desk.order().reject_reason) == (OrderStatus.REJECTED, "halted at the venue")
    assert desk.money == (Decimal(10000), NOTHING)


def test_an_order_with_executions_that_the_venue_rejects_is_cancelled() -> None:
    desk = Desk()
    desk.working("buy 10 AAPL limit 100")
    desk.fill("A", "3", "100")
    the(desk.rejected("A"), OrderCanceled)
    assert desk.money[1] == 0


def test_closing_a_position_all_or_in_part() -> None:
    desk = Desk(cash="10000")
    desk.working("buy 10 AAPL limit 100", "B")
    desk.fill("B", "10", "100")
    desk.close("AAPL", "H", percentage="33")
    half = desk.order("H")
    assert (half.side, half.qty, half.held_qty) == (Side.SELL, Decimal("3.3"), Decimal("3.3"))
    refusal = refusal_of(desk.close("AAPL", "R"))
    assert (refusal.code, refusal.allowed) == (RejectCode.INSUFFICIENT_QTY, "at most 6.7")
    desk.fill("H", "3.3", "100")
    desk.close("AAPL", "R")
    desk.fill("R", "6.7", "101")
    assert refusal_of(desk.close("AAPL", "Z")).code is RejectCode.POSITION_NOT_FOUND
    assert desk.account.cash == Decimal("10006.7")


def test_closing_a_short_buys() -> None:
    desk = Desk(cash="10000", multiplier="2")
    desk.working("sell 10 AAPL limit 100", "S")
    desk.fill("S", "10", "100")
    desk.close("AAPL", "C")
    assert (desk.order("C").side, desk.order("C").qty) == (Side.BUY, Decimal(10))


def test_a_percentage_out_of_range_is_refused() -> None:
    desk = Desk()
    desk.working("buy 1 AAPL limit 100", "B")
    desk.fill("B", "1", "100")
    for percentage in ("0", "-5", "100.1"):
        refusal = refusal_of(desk.close("AAPL", "C", percentage=percentage))
        assert (refusal.code, refusal.value) == (RejectCode.PERCENTAGE_OUT_OF_RANGE, percentage)
