"""Latency, cancels, replacements, expiry, and what happens to repeats."""

import copy

import pytest

from tests.venue_scenarios import MIDNIGHT_NS, MS, NOON_NS, Desk, order, rules
from tradewind.domain.orders.order import Order
from tradewind.engine.venue_policies.latency import FixedLatency


def _slow_desk() -> Desk:
    return Desk(rules(latency=FixedLatency(5 * MS)))


def test_an_order_trades_only_after_its_way_to_the_venue() -> None:
    desk = _slow_desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 100 market")) == []
    assert desk.venue.next_due_ns == NOON_NS + 5 * MS
    assert desk.wait_until(NOON_NS + 5 * MS - 1) == []
    assert desk.wait_until(NOON_NS + 5 * MS) == ["A accepted", "A 100 @ 10.01 done"]
    assert desk.venue.next_due_ns is None


def test_an_order_that_arrived_before_a_quote_trades_at_the_earlier_touch() -> None:
    desk = _slow_desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 100 market"))
    desk.now_ns += 9 * MS
    assert desk.market_shows("11.99x300", "12.01x200") == ["A accepted", "A 100 @ 10.01 done"]
    assert [report.ts_ns for report in desk.reports] == [NOON_NS + 5 * MS] * 2


def test_a_cancel_takes_as_long_and_a_fill_may_overtake_it() -> None:
    desk = _slow_desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 100 limit 9.90"))
    assert desk.wait_until(NOON_NS + 10 * MS) == ["A accepted"]
    assert desk.cancel() == []
    assert desk.market_shows("9.80x10", "9.85x100") == ["A 100 @ 9.9 done"]
    assert desk.wait_until(NOON_NS + 15 * MS) == ["A cancel rejected"]


def test_requests_never_overtake_each_other_even_when_the_clock_is_set_back() -> None:
    desk = _slow_desk()
    desk.send(order("buy 100 limit 9.90"))
    desk.now_ns -= 1_000 * MS
    assert desk.cancel() == []
    assert desk.wait_until(NOON_NS + 5 * MS) == ["A accepted", "A canceled"]


class _ImprovingLatency:
    def __init__(self) -> None:
        self._delays_ns = [9 * MS, 1 * MS]

    def arrival_ns(self, now_ns: int) -> int:
        return now_ns + self._delays_ns.pop(0)


def test_a_cancel_does_not_overtake_its_order_on_a_faster_line() -> None:
    desk = Desk(rules(latency=_ImprovingLatency()))
    desk.send(order("buy 100 limit 9.90"))
    desk.cancel()
    assert desk.wait_until(NOON_NS + 8 * MS) == []
    assert desk.wait_until(NOON_NS + 9 * MS) == ["A accepted", "A canceled"]


def test_a_negative_latency_is_refused() -> None:
    with pytest.raises(ValueError, match="latency_ns: -1 is not allowed"):
        FixedLatency(-1)


def test_a_canceled_order_is_out_of_the_market() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 100 limit 9.90"))
    assert desk.cancel() == ["A canceled"]
    assert desk.market_shows("9.80x300", "9.81x200") == []
    assert desk.market_trades("9.00x200") == []
    assert desk.venue.working_count == 0


def test_canceling_what_does_not_work_is_rejected() -> None:
    desk = Desk()
    assert desk.cancel("nobody") == ["nobody cancel rejected"]
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 100 market"))
    assert desk.cancel("A") == ["A cancel rejected"]


def test_the_same_order_sent_twice_works_once() -> None:
    desk = Desk()
    desk.send(order("buy 100 limit 9.90"))
    assert desk.send(order("buy 100 limit 9.90")) == []
    assert desk.market_shows("9.80x300", "9.81x500") == ["A 100 @ 9.9 done"]


def test_the_venue_keeps_its_own_copy_of_an_order() -> None:
    desk = _slow_desk()
    ours = order("buy 100 limit 9.90")
    before = copy.deepcopy(ours)
    desk.send(ours)
    assert ours == before
    ours.filled_qty = ours.filled_qty + 60  # what the books say later is not the venue's business
    desk.wait_until(NOON_NS + 5 * MS)
    assert desk.market_shows("9.80x300", "9.81x500") == ["A 100 @ 9.9 done"]


def test_a_replacement_works_what_the_old_order_left_of_the_new_total() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x40")
    desk.send(order("buy 100 limit 10.01"))
    assert desk.replace("A", order("buy 150 limit 10.00", order_id="B")) == ["A replaced by B"]
    assert desk.market_shows("9.99x300", "10.00x500") == ["B 110 @ 10 done"]


def test_a_replacement_loses_its_place_in_the_queue() -> None:
    desk = Desk()
    desk.send(order("buy 50 limit 9.90", order_id="A"))
    desk.send(order("buy 50 limit 9.90", order_id="B"))
    desk.replace("A", order("buy 50 limit 9.90", order_id="A2"))
    assert desk.market_trades("9.80x60") == ["B 50 @ 9.9 done", "A2 10 @ 9.9"]


def test_a_replacement_may_trade_at_once() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 50 limit 9.90"))
    assert desk.replace("A", order("buy 50 limit 10.05", order_id="B")) == [
        "A replaced by B",
        "B 50 @ 10.01 done",
    ]


def test_replacements_can_follow_each_other() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x10")
    desk.send(order("buy 50 limit 10.01", order_id="A"))
    desk.market_shows("9.99x300", "10.02x10")
    desk.replace("A", order("buy 60 limit 10.02", order_id="B"))
    assert desk.replace("B", order("buy 30 limit 10.00", order_id="C")) == ["B replaced by C"]
    assert desk.market_trades("9.00x500") == ["C 10 @ 10 done"]  # 30 less 10 by A and 10 by B


@pytest.mark.parametrize("total", ["30", "40"])
def test_a_replacement_for_no_more_than_is_filled_is_rejected_and_the_old_order_works_on(total: str) -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x40")
    desk.send(order("buy 100 limit 10.01"))
    assert desk.replace("A", order(f"buy {total} limit 10.00", order_id="B")) == [
        "A replace by B rejected: the new quantity is not above what is already filled"
    ]
    assert desk.market_shows("9.99x300", "10.01x500") == ["A 60 @ 10.01 done"]


def test_replacing_a_finished_order_is_rejected() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 100 market"))
    rejected = ["A replace by B rejected: the order is not working at the venue"]
    assert desk.replace("A", order("buy 150 market", order_id="B")) == rejected


def test_an_order_by_notional_cannot_take_the_place_of_another() -> None:
    desk = Desk()
    desk.send(order("buy 100 market"))
    assert desk.replace("A", order("buy $150 market", order_id="B")) == [
        "A replace by B rejected: orders by notional cannot be replaced"
    ]


def test_the_same_replacement_asked_twice_happens_once() -> None:
    desk = Desk()
    desk.send(order("buy 50 limit 9.90"))
    desk.replace("A", order("buy 60 limit 9.90", order_id="B"))
    assert desk.replace("A", order("buy 60 limit 9.90", order_id="B")) == []
    assert desk.venue.works("B")


def test_a_day_order_expires_at_midnight_in_new_york_and_a_gtc_order_does_not() -> None:
    desk = Desk()
    desk.send(order("buy 50 limit 9.90", order_id="day", time_in_force="day"))
    desk.send(order("buy 50 limit 9.90", order_id="gtc"))
    assert desk.wait_until(MIDNIGHT_NS - 1) == []
    assert desk.wait_until(MIDNIGHT_NS) == ["day expired"]
    assert desk.market_trades("9.00x500") == ["gtc 50 @ 9.9 done"]


def test_a_day_order_that_is_done_does_not_expire() -> None:
    desk = Desk()
    desk.send(order("buy 50 limit 9.90", order_id="filled", time_in_force="day"))
    desk.market_trades("9.00x500")
    desk.send(order("buy 50 limit 9.90", order_id="canceled", time_in_force="day"))
    desk.cancel("canceled")
    assert desk.wait_until(MIDNIGHT_NS) == []


def test_a_day_order_sent_yesterday_expires_when_it_comes_back() -> None:
    desk = Desk()
    desk.now_ns = MIDNIGHT_NS + 60_000 * MS
    yesterdays = order("buy 50 limit 9.90", time_in_force="day", submitted_at_ns=NOON_NS)
    assert desk.send(yesterdays) == ["A accepted", "A expired"]


def test_an_order_says_itself_when_it_expires() -> None:
    desk = Desk()
    ours: Order = order("buy 50 limit 9.90", time_in_force="day")
    ours.expires_at_ns = NOON_NS + 7
    desk.send(ours)
    assert desk.wait_until(NOON_NS + 100) == ["A expired"]
    assert desk.reports[-1].ts_ns == NOON_NS + 7


def test_a_replacement_expires_with_its_session() -> None:
    desk = Desk()
    desk.send(order("buy 50 limit 9.90", time_in_force="day"))
    desk.replace("A", order("buy 60 limit 9.90", order_id="B", time_in_force="day"))
    assert desk.wait_until(MIDNIGHT_NS) == ["B expired"]


def test_forgotten_orders_leave_without_a_word() -> None:
    desk = _slow_desk()
    desk.send(order("buy 50 limit 9.90", order_id="working", time_in_force="day"))
    desk.wait_until(NOON_NS + 5 * MS)
    desk.send(order("buy 50 limit 9.90", order_id="on its way"))
    desk.send(order("buy 50 limit 9.90", order_id="stays"))
    desk.cancel("working")
    desk.replace("stays", order("buy 60 limit 9.90", order_id="new"))
    desk.venue.forget(["working", "on its way", "new", "never seen"])
    assert desk.wait_until(NOON_NS + 10 * MS) == ["stays accepted"]
    assert desk.market_trades("9.00x500") == ["stays 50 @ 9.9 done"]
    assert desk.wait_until(MIDNIGHT_NS) == []


def test_execution_ids_carry_the_prefix_and_differ() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 100 market"))
    desk.send(order("buy 150 market", order_id="B"))
    assert [execution.execution_id for execution in desk.executions()] == ["test-1", "test-2"]
