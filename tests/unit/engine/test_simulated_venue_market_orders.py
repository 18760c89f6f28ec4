"""Market orders: at the touch, up to the size shown, with slippage and fees."""

from decimal import Decimal

import pytest

from tests.venue_scenarios import Desk, order, rules
from tradewind.domain.market.instrument import AssetClass
from tradewind.engine.venue_policies.fees import FeeByAssetClass, NoFee, PercentageFee
from tradewind.engine.venue_policies.slippage import BasisPointSlippage


def test_a_buy_takes_the_ask_and_a_sell_the_bid() -> None:
    desk = Desk()
    assert desk.market_shows("9.99x300", "10.01x200") == []
    assert desk.send(order("buy 100 market")) == ["A accepted", "A 100 @ 10.01 done"]
    assert desk.send(order("sell 100 market", order_id="B")) == ["B accepted", "B 100 @ 9.99 done"]


def test_an_order_larger_than_the_size_shown_fills_in_parts_quote_by_quote() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 500 market")) == ["A accepted", "A 200 @ 10.01"]
    assert desk.market_shows("9.99x300", "10.02x100") == ["A 100 @ 10.02"]
    assert desk.market_shows("9.99x300", "10.05x900") == ["A 200 @ 10.05 done"]
    assert desk.market_shows("9.99x300", "10.05x900") == []


def test_what_one_order_took_of_the_touch_is_gone_for_the_next_until_a_new_quote() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 150 market")) == ["A accepted", "A 150 @ 10.01 done"]
    assert desk.send(order("buy 150 market", order_id="B")) == ["B accepted", "B 50 @ 10.01"]
    assert desk.send(order("buy 10 market", order_id="C")) == ["C accepted"]
    assert desk.market_shows("9.99x300", "10.01x200") == ["B 100 @ 10.01 done", "C 10 @ 10.01 done"]


def test_our_sells_do_not_use_up_the_ask() -> None:
    desk = Desk()
    desk.market_shows("9.99x100", "10.01x100")
    desk.send(order("sell 100 market", order_id="S"))
    assert desk.send(order("buy 100 market"))[-1] == "A 100 @ 10.01 done"


def test_before_the_first_quote_a_market_order_waits() -> None:
    desk = Desk()
    assert desk.send(order("buy 10 market")) == ["A accepted"]
    assert desk.market_trades("10.00x500") == []
    assert desk.market_shows("9.99x300", "10.01x200") == ["A 10 @ 10.01 done"]


def test_an_empty_side_is_no_touch() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "-")
    assert desk.send(order("buy 10 market")) == ["A accepted"]
    assert desk.send(order("sell 10 market", order_id="B")) == ["B accepted", "B 10 @ 9.99 done"]
    assert desk.send(order("buy 10 market", order_id="C", time_in_force="ioc")) == [
        "C accepted",
        "C canceled",
    ]


def test_an_ioc_order_fills_what_it_can_and_cancels_the_rest() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 500 market", time_in_force="ioc")) == [
        "A accepted",
        "A 200 @ 10.01",
        "A canceled",
    ]
    assert desk.market_shows("9.99x300", "10.01x200") == []


@pytest.mark.parametrize("time_in_force", ["ioc", "fok"])
def test_without_a_quote_an_order_that_may_not_wait_is_canceled(time_in_force: str) -> None:
    assert Desk().send(order("buy 5 market", time_in_force=time_in_force)) == ["A accepted", "A canceled"]


def test_a_fok_order_fills_whole_or_not_at_all() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 201 market", time_in_force="fok")) == ["A accepted", "A canceled"]
    assert desk.send(order("buy 200 market", order_id="B", time_in_force="fok")) == [
        "B accepted",
        "B 200 @ 10.01 done",
    ]


def test_a_notional_order_buys_what_its_money_is_worth_rounded_down() -> None:
    desk = Desk()
    desk.market_shows("59990x2", "60000x2", symbol="BTC/USD")
    # 1000 / 60000 = 0.016666666666..., cut after nine decimals.
    assert desk.send(order("buy $1000 market", symbol="BTC/USD")) == [
        "A accepted",
        "A 0.016666666 @ 60000 done",
    ]


def test_a_notional_order_spends_the_rest_of_its_money_at_the_next_quotes() -> None:
    desk = Desk()
    desk.market_shows("59990x2", "60000x0.01", symbol="BTC/USD")
    assert desk.send(order("buy $1000 market", symbol="BTC/USD")) == ["A accepted", "A 0.01 @ 60000"]
    # 1000 - 600 = 400; 400 / 64000 = 0.00625
    assert desk.market_shows("63990x2", "64000x5", symbol="BTC/USD") == ["A 0.00625 @ 64000 done"]


def test_a_notional_order_whose_last_money_buys_nothing_is_canceled() -> None:
    desk = Desk()
    desk.market_shows("59990x2", "60000x2", symbol="BTC/USD")
    almost_done = order("buy $1000 market", symbol="BTC/USD", filled_qty="0.016", filled_value="999.99999")
    assert desk.send(almost_done) == ["A accepted", "A canceled"]


def test_a_notional_sell_of_whole_shares_rounds_down_to_whole_shares() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("sell $100 market")) == ["A accepted", "A 10 @ 9.99 done"]


def test_whole_shares_are_never_filled_in_fractions() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x7.5")
    assert desk.send(order("buy 10 market")) == ["A accepted", "A 7 @ 10.01"]
    assert desk.market_shows("9.99x300", "10.01x0.5") == []
    assert desk.market_shows("9.99x300", "10.01x3.5") == ["A 3 @ 10.01 done"]


def test_an_order_that_was_partly_filled_before_a_restart_trades_the_rest() -> None:
    desk = Desk()
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 100 market", filled_qty="70")) == ["A accepted", "A 30 @ 10.01 done"]
    assert desk.send(order("buy 100 market", order_id="B", filled_qty="100")) == ["B accepted", "B canceled"]


@pytest.mark.parametrize(
    ("side", "bps", "expected"),
    [
        ("buy", "10", "10.03"),  # 10.01 + 0.01001 = 10.02001, up to the tick
        ("sell", "10", "9.98"),  # 9.99 - 0.00999 = 9.98001, down to the tick
        ("buy", "0", "10.01"),
        ("sell", "10000", "0.0001"),  # never to zero
    ],
)
def test_slippage_is_rounded_to_the_tick_against_us(side: str, bps: str, expected: str) -> None:
    desk = Desk(rules(slippage=BasisPointSlippage(Decimal(bps))))
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order(f"{side} 1 market"))[-1] == f"A 1 @ {expected} done"


def test_limit_orders_do_not_slip() -> None:
    desk = Desk(rules(slippage=BasisPointSlippage(Decimal(50))))
    desk.market_shows("9.99x300", "10.01x200")
    assert desk.send(order("buy 1 limit 10.02"))[-1] == "A 1 @ 10.01 done"


def test_slippage_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="bps: -1 is not allowed"):
        BasisPointSlippage(Decimal(-1))


def test_the_fee_is_a_fraction_of_the_value_rounded_up() -> None:
    desk = Desk(rules(fees=PercentageFee(Decimal("0.0025"))))
    desk.market_shows("59990x2", "60000.01x2", symbol="BTC/USD")
    desk.send(order("buy 0.000000001 market", symbol="BTC/USD"))
    # 0.000000001 * 60000.01 * 0.0025 = 0.000000150000025
    assert desk.executions()[0].fee == Decimal("0.0000001501")


def test_a_rebate_is_rounded_against_us_too() -> None:
    desk = Desk(rules(fees=PercentageFee(Decimal("-0.0025"))))
    desk.market_shows("59990x2", "60000.01x2", symbol="BTC/USD")
    desk.send(order("buy 0.000000001 market", symbol="BTC/USD"))
    assert desk.executions()[0].fee == Decimal("-0.0000001500")


def test_each_asset_class_has_its_fee() -> None:
    fees = FeeByAssetClass({AssetClass.CRYPTO: PercentageFee(Decimal("0.01")), AssetClass.EQUITY: NoFee()})
    desk = Desk(rules(fees=fees))
    desk.market_shows("9.99x300", "10x200")
    desk.market_shows("99x2", "100x2", symbol="BTC/USD")
    desk.send(order("buy 1 market"))
    desk.send(order("buy 1 market", order_id="B", symbol="BTC/USD"))
    assert [execution.fee for execution in desk.executions()] == [0, 1]


def test_asset_classes_without_a_policy_trade_free() -> None:
    desk = Desk(rules(fees=FeeByAssetClass({})))
    desk.market_shows("9.99x300", "10x200")
    desk.send(order("buy 1 market"))
    assert desk.executions()[0].fee == 0
