"""Stop and stop-limit orders: what triggers them and what they become."""

from decimal import Decimal

from tests.venue_scenarios import Desk, order, rules
from tradewind.engine.venue_policies.slippage import BasisPointSlippage


def test_a_buy_stop_is_triggered_by_the_ask_and_buys_at_the_touch() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 100 stop 10.10")) == ["A accepted"]
    assert desk.market_shows("10.10x300", "10.09x200") == []
    assert desk.market_shows("10.10x300", "10.12x60") == ["A 60 @ 10.12"]
    assert desk.market_shows("9.00x300", "9.02x60") == ["A 40 @ 9.02 done"]


def test_a_sell_stop_is_triggered_by_the_bid() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("sell 100 stop 9.90")) == ["A accepted"]
    assert desk.market_shows("9.91x300", "9.92x200") == []
    assert desk.market_shows("9.90x300", "9.95x200") == ["A 100 @ 9.9 done"]


def test_a_trade_at_the_stop_triggers_it_and_it_fills_at_the_touch() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 100 stop 10.10"))
    assert desk.market_trades("10.09x1") == []
    assert desk.market_trades("10.10x1") == ["A 100 @ 10.01 done"]


def test_a_stop_that_the_touch_has_passed_already_trades_on_arrival() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 100 stop 10.01")) == ["A accepted", "A 100 @ 10.01 done"]
    assert desk.send(order("sell 100 stop 9.99", order_id="B")) == ["B accepted", "B 100 @ 9.99 done"]


def test_a_stop_triggered_by_a_trade_before_any_quote_waits_for_the_first() -> None:
    desk = Desk()
    assert desk.send(order("buy 100 stop 10.10")) == ["A accepted"]
    assert desk.market_trades("10.20x5") == []
    assert desk.market_shows("9.99x300", "10.01x200") == ["A 100 @ 10.01 done"]


def test_a_stop_limit_becomes_a_limit_order() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 100 stop 10.10 limit 10.15")) == ["A accepted"]
    assert desk.market_shows("10.19x300", "10.20x200") == []  # triggered, but too dear
    assert desk.market_shows("10.05x300", "10.06x70") == ["A 70 @ 10.15"]  # waiting: its own price
    assert desk.market_trades("10.14x500") == ["A 30 @ 10.15 done"]


def test_a_stop_limit_that_is_marketable_when_triggered_fills_at_the_touch() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 100 stop 10.10 limit 10.15"))
    assert desk.market_shows("10.11x300", "10.12x200") == ["A 100 @ 10.12 done"]


def test_before_it_is_triggered_a_stop_limit_does_not_trade_at_its_limit() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("sell 100 stop 9.50 limit 9.40"))
    assert desk.market_shows("9.99x300", "10.01x200") == []
    assert desk.market_trades("10.00x100") == []


def test_orders_that_worked_already_come_before_stops_that_the_same_quote_triggers() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("sell 60 stop 9.90", order_id="stop"))
    desk.send(order("sell 60 limit 10.05", order_id="limit"))
    desk.market_shows("9.95x1", "9.99x1")
    desk.replace("limit", order("sell 60 limit 9.96", order_id="lower"))
    assert desk.market_shows("9.97x50", "10.05x200") == ["lower 50 @ 9.96"]
    assert desk.market_shows("9.90x50", "9.95x200") == ["stop 50 @ 9.9"]
    assert desk.market_shows("9.97x50", "9.99x200") == ["stop 10 @ 9.97 done", "lower 10 @ 9.96 done"]


def test_stops_are_triggered_from_the_nearest_on() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 50 stop 10.20", order_id="far"))
    desk.send(order("buy 50 stop 10.10", order_id="near"))
    assert desk.market_shows("10.29x300", "10.30x70") == ["near 50 @ 10.3 done", "far 20 @ 10.3"]


def test_a_triggered_stop_slips_like_a_market_order() -> None:
    desk = Desk(rules(slippage=BasisPointSlippage(Decimal(100))))
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("sell 100 stop 9.90"))
    assert desk.market_shows("9.90x300", "9.95x200") == ["A 100 @ 9.8 done"]  # 9.90 * 0.99 = 9.801


def test_an_ioc_stop_cancels_what_it_cannot_fill_when_triggered() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 100 stop 10.10", time_in_force="ioc")) == ["A accepted"]
    assert desk.market_shows("10.10x300", "10.10x60") == ["A 60 @ 10.1", "A canceled"]


def test_a_stop_can_be_canceled_before_and_after_it_is_triggered() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 100 stop 10.10", order_id="A"))
    desk.send(order("buy 100 stop 10.20", order_id="B"))
    assert desk.market_shows("10.10x300", "10.15x60") == ["A 60 @ 10.15"]
    assert desk.cancel("A") == ["A canceled"]
    assert desk.cancel("B") == ["B canceled"]
    assert desk.market_shows("10.10x300", "10.25x60") == []
