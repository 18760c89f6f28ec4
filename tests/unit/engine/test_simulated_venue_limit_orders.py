"""Limit orders: price improvement on arrival, their own price when they wait, price-time priority."""

from tests.venue_scenarios import Desk, order


def test_a_marketable_limit_fills_at_the_better_touch() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 100 limit 10.50")) == ["A accepted", "A 100 @ 10.01 done"]
    assert desk.send(order("sell 100 limit 9.50", order_id="B")) == ["B accepted", "B 100 @ 9.99 done"]


def test_the_rest_of_a_marketable_limit_waits_and_fills_at_its_limit() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 500 limit 10.02")) == ["A accepted", "A 200 @ 10.01"]
    assert desk.market_shows("10.02x300", "10.03x400") == []
    assert desk.market_shows("9.99x300", "10.00x100") == ["A 100 @ 10.02"]
    assert desk.market_shows("9.99x300", "10.02x400") == ["A 200 @ 10.02 done"]


def test_a_waiting_limit_fills_at_its_own_price_when_a_quote_crosses_it() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 100 limit 9.95")) == ["A accepted"]
    assert desk.market_shows("9.95x300", "9.96x200") == []
    assert desk.market_shows("9.89x300", "9.90x200") == ["A 100 @ 9.95 done"]


def test_a_waiting_limit_without_any_quote_fills_at_the_first_that_reaches_it() -> None:
    desk = Desk()
    assert desk.send(order("sell 100 limit 10.00")) == ["A accepted"]
    assert desk.market_shows("10.00x60", "10.01x200") == ["A 60 @ 10"]


def test_a_trade_beyond_the_limit_fills_up_to_its_size() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 100 limit 9.95"))
    assert desk.market_trades("9.94x30") == ["A 30 @ 9.95"]
    assert desk.market_trades("9.94x500") == ["A 70 @ 9.95 done"]


def test_a_trade_exactly_at_the_limit_does_not_fill_for_we_stand_at_the_back_of_the_queue() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 100 limit 9.95"))
    assert desk.market_trades("9.95x1000") == []
    desk.send(order("sell 100 limit 10.05", order_id="B"))
    assert desk.market_trades("10.05x1000") == []
    assert desk.market_trades("10.06x1000") == ["B 100 @ 10.05 done"]


def test_a_trade_is_shared_by_price_then_time() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    desk.send(order("buy 50 limit 9.95", order_id="first at 9.95"))
    desk.send(order("buy 50 limit 9.96", order_id="best"))
    desk.send(order("buy 50 limit 9.95", order_id="second at 9.95"))
    assert desk.market_trades("9.90x120") == [
        "best 50 @ 9.96 done",
        "first at 9.95 50 @ 9.95 done",
        "second at 9.95 20 @ 9.95",
    ]


def test_a_trade_counts_once_for_our_buys_and_once_for_our_sells() -> None:
    desk = Desk()
    desk.send(order("buy 50 limit 10.02", order_id="B"))
    desk.send(order("sell 50 limit 9.98", order_id="S"))
    assert desk.market_trades("10.00x40") == ["B 40 @ 10.02", "S 40 @ 9.98"]


def test_a_quote_is_shared_by_price_then_time_and_market_orders_come_first() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.02x10")
    desk.send(order("buy 30 limit 10.00", order_id="low"))
    desk.send(order("buy 30 limit 10.01", order_id="high"))
    assert desk.send(order("buy 30 market", order_id="market")) == ["market accepted", "market 10 @ 10.02"]
    assert desk.market_shows("9.98x300", "9.99x65") == [
        "market 20 @ 9.99 done",
        "high 30 @ 10.01 done",
        "low 15 @ 10",
    ]


def test_an_ioc_limit_takes_what_is_there_at_its_price() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 300 limit 10.01", time_in_force="ioc")) == [
        "A accepted",
        "A 200 @ 10.01",
        "A canceled",
    ]
    assert desk.send(order("buy 300 limit 10.00", order_id="B", time_in_force="ioc")) == [
        "B accepted",
        "B canceled",
    ]


def test_a_fok_limit_fills_whole_or_not_at_all() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("sell 301 limit 9.99", time_in_force="fok")) == ["A accepted", "A canceled"]
    assert desk.send(order("sell 300 limit 9.99", order_id="B", time_in_force="fok")) == [
        "B accepted",
        "B 300 @ 9.99 done",
    ]


def test_market_data_of_another_symbol_changes_nothing() -> None:
    desk = Desk()
    desk.send(order("buy 1 limit 10.00"))
    assert desk.market_shows("1x300", "2x200", symbol="BTC/USD") == []
    assert desk.market_shows("1x300", "2x200", symbol="UNKNOWN") == []
    assert desk.market_trades("2x200", symbol="UNKNOWN") == []


def test_an_order_for_an_unknown_symbol_is_rejected() -> None:
    assert Desk().send(order("buy 1 limit 10.00", symbol="XYZ")) == [
        "A rejected: the venue does not trade XYZ"
    ]


def test_a_partly_filled_order_for_a_symbol_that_went_away_is_canceled() -> None:
    assert Desk().send(order("buy 2 limit 10.00", symbol="XYZ", filled_qty="1")) == ["A canceled"]


def test_a_limit_order_by_notional_is_rejected() -> None:
    assert Desk().send(order("buy $50 limit 10.00")) == [
        "A rejected: only market orders may be for a notional"
    ]


def test_a_trade_of_less_than_a_share_fills_no_whole_share() -> None:
    desk = Desk()
    desk.send(order("buy 10 limit 10.00"))
    assert desk.market_trades("9.90x0.5") == []
    assert desk.market_trades("9.90x2.5") == ["A 2 @ 10"]
