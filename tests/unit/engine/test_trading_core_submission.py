"""What an account may submit, and how it is told what it may not."""

from decimal import Decimal
from itertools import pairwise

import pytest

from tests.core_scenarios import ACCOUNT_ID, Desk, order_uuid, refusal_of, the
from tradewind.domain.commands import HaltTrading, ResumeTrading
from tradewind.domain.events import OrderSubmitted
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.reject_codes import RejectCode
from tradewind.domain.risk.limits import RiskLimits


def test_a_limit_buy_reserves_its_limit_price() -> None:
    desk = Desk(cash="10000")
    order = the(desk.submit("buy 10 AAPL limit 99.50"), OrderSubmitted).order
    assert (order.status, order.held_cash) == (OrderStatus.PENDING_NEW, Decimal(995))
    assert desk.money == (Decimal(9005), Decimal(995))


def test_a_market_buy_reserves_two_percent_above_the_market() -> None:
    desk = Desk(marks={"AAPL": "100"})
    desk.submit("buy 10 AAPL market")
    assert desk.money == (Decimal(8980), Decimal(1020))


def test_a_stop_below_the_market_reserves_the_market_price() -> None:
    desk = Desk(marks={"AAPL": "100"})
    desk.submit("buy 10 AAPL stop 5", "A")
    desk.submit("buy 10 AAPL stop 200", "B")
    assert [desk.order(name).held_cash for name in "AB"] == [Decimal(1020), Decimal(2040)]


def test_crypto_reserves_the_highest_fee_too() -> None:
    desk = Desk(cash="10000")
    desk.submit("buy 0.1 BTC/USD limit 20000 gtc")
    assert desk.account.cash_held == Decimal(2005)


def test_a_margin_account_reserves_half() -> None:
    desk = Desk(cash="1000", multiplier="2")
    desk.submit("buy 20 AAPL limit 100")
    assert desk.money == (Decimal(0), Decimal(1000))


def test_buying_power_refused_with_the_numbers() -> None:
    refusal = Desk(cash="1000").refused("buy 10.5 AAPL limit 100")
    assert refusal.code is RejectCode.INSUFFICIENT_BUYING_POWER
    assert (refusal.field, refusal.value, refusal.allowed) == ("qty", "10.5", "orders worth at most 1000")
    assert refusal.details == {"buying_power": "1000", "cost_basis": "1050"}


def test_what_another_order_reserves_cannot_be_spent_twice() -> None:
    desk = Desk(cash="1000")
    desk.working("buy 6 AAPL limit 100", "A")
    assert desk.refused("buy 5 AAPL limit 100", "B").details["buying_power"] == "400"
    desk.canceled("A")
    desk.working("buy 5 AAPL limit 100", "C")


def test_short_proceeds_cannot_be_spent_twice() -> None:
    desk = Desk(cash="1000", multiplier="2")
    desk.working("sell 10 AAPL limit 100", "A")
    desk.fill("A", "10", "100")
    assert desk.account.cash == Decimal(2000)
    assert desk.refused("buy 11 BRK limit 50", "B").details["buying_power"] == "500"


@pytest.mark.parametrize(
    ("terms", "code", "field", "value", "allowed"),
    [
        ("buy - AAPL market", "QTY_OR_NOTIONAL_REQUIRED", "qty", None, "exactly one of qty and notional"),
        ("buy 0 AAPL market", "QTY_NOT_POSITIVE", "qty", "0", "greater than 0"),
        ("buy -1 AAPL market", "QTY_NOT_POSITIVE", "qty", "-1", "greater than 0"),
        ("buy 0.0000000001 AAPL market", "QTY_INCREMENT", "qty", "0.0000000001", "multiples of 0.000000001"),
        ("buy 1.5 BRK market", "NOT_FRACTIONABLE", "qty", "1.5", "multiples of 1"),
        ("buy $50 BRK market", "NOT_FRACTIONABLE", "notional", "50", "qty in whole units"),
        ("buy 0.00001 BTC/USD market gtc", "QTY_BELOW_MINIMUM", "qty", "0.00001", "at least 0.0001"),
        ("buy 1e15 AAPL market", "VALUE_TOO_LARGE", "qty", "1" + "0" * 15, "less than 1" + "0" * 15),
        ("buy $0 AAPL market", "NOTIONAL_NOT_POSITIVE", "notional", "0", "greater than 0"),
        ("buy $10.001 AAPL market", "NOTIONAL_INCREMENT", "notional", "10.001", "multiples of 0.01"),
        ("buy $0.99 AAPL market", "NOTIONAL_BELOW_MINIMUM", "notional", "0.99", "at least 1"),
        (
            "buy $50 AAPL limit 100",
            "NOTIONAL_NEEDS_MARKET_ORDER",
            "notional",
            "50",
            "qty for every type but market",
        ),
        ("buy 1 AAPL limit", "LIMIT_PRICE_REQUIRED", "limit_price", None, "a positive price"),
        ("buy 1 AAPL limit 9 market", "LIMIT_PRICE_NOT_ALLOWED", "limit_price", "9", "none"),
        ("buy 1 AAPL limit 100.005", "LIMIT_PRICE_INCREMENT", "limit_price", "100.005", "multiples of 0.01"),
        (
            "buy 1 AAPL limit 0.99995",
            "LIMIT_PRICE_INCREMENT",
            "limit_price",
            "0.99995",
            "multiples of 0.0001",
        ),
        ("buy 1 AAPL limit -5", "PRICE_NOT_POSITIVE", "limit_price", "-5", "greater than 0"),
        ("buy 1 AAPL stop", "STOP_PRICE_REQUIRED", "stop_price", None, "a positive price"),
        ("buy 1 AAPL stop 5 market", "STOP_PRICE_NOT_ALLOWED", "stop_price", "5", "none"),
        ("buy 1 AAPL stop 100.001", "STOP_PRICE_INCREMENT", "stop_price", "100.001", "multiples of 0.01"),
        ("buy 1.5 AAPL limit 100 gtc", "FRACTIONAL_NEEDS_DAY", "time_in_force", "gtc", "day"),
        ("buy 1 NOPE market", "UNKNOWN_SYMBOL", "symbol", "NOPE", "symbols listed by /v2/assets"),
        ("buy 1 GONE market", "SYMBOL_NOT_TRADABLE", "symbol", "GONE", "tradable assets, see /v2/assets"),
    ],
)
def test_terms_that_break_a_rule(terms: str, code: str, field: str, value: str | None, allowed: str) -> None:
    desk = Desk(cash="1000000")
    refusal = desk.refused(terms)
    assert (refusal.code.name, refusal.field, refusal.value, refusal.allowed) == (code, field, value, allowed)
    assert refusal.message
    assert desk.money == (Decimal(1000000), Decimal(0))


def test_sub_penny_prices_are_fine_below_one_dollar() -> None:
    Desk().working("buy 1 AAPL limit 0.9999")


def test_the_operators_limit_on_one_order() -> None:
    desk = Desk(cash="10000", limits=RiskLimits(max_order_notional=Decimal(500)))
    refusal = desk.refused("buy 6 AAPL limit 100")
    assert (refusal.code, refusal.field, refusal.value) == (RejectCode.MAX_ORDER_NOTIONAL, "qty", "6")
    assert refusal.allowed == "orders worth at most 500"
    desk.working("buy 5 AAPL limit 100", "B")


def test_the_operators_limit_on_open_orders() -> None:
    desk = Desk(limits=RiskLimits(max_open_orders=1))
    desk.working("buy 1 AAPL limit 10", "A")
    assert desk.refused("buy 1 AAPL limit 10", "B").code is RejectCode.TOO_MANY_OPEN_ORDERS
    desk.canceled("A")
    desk.working("buy 1 AAPL limit 10", "C")


def test_a_market_order_needs_a_market() -> None:
    desk = Desk(marks={"BRK": "50"})
    assert desk.refused("buy 1 AAPL market").code is RejectCode.NO_REFERENCE_PRICE
    desk.working("buy 1 AAPL limit 100", "B")


def test_a_cash_account_cannot_sell_short() -> None:
    refusal = Desk().refused("sell 1 AAPL limit 100")
    assert (refusal.code, refusal.field) == (RejectCode.SHORTING_NOT_ALLOWED, "side")
    assert refusal.message == "account is not allowed to short"


def test_not_everything_can_be_sold_short() -> None:
    refusal = Desk(multiplier="2").refused("sell 1 BRK limit 50")
    assert refusal.message == "asset BRK cannot be sold short"


def test_a_sell_beyond_the_position_is_refused_with_what_is_free() -> None:
    desk = Desk(multiplier="2")
    desk.working("buy 10 AAPL limit 100", "A")
    desk.fill("A", "10", "100")
    desk.working("sell 4 AAPL limit 110", "B")
    refusal = desk.refused("sell 7 AAPL limit 110", "D")
    assert (refusal.code, refusal.value, refusal.allowed) == (RejectCode.INSUFFICIENT_QTY, "7", "at most 6")
    assert refusal.details == {
        "symbol": "AAPL",
        "existing_qty": "10",
        "held_for_orders": "4",
        "available": "6",
    }


def test_a_halted_account_may_only_cancel() -> None:
    desk = Desk()
    desk.working("buy 1 AAPL limit 90", "A")
    desk.do(HaltTrading(account_id=ACCOUNT_ID, reason="margin call"))
    refusal = desk.refused("buy 1 AAPL limit 90", "B")
    assert refusal.code is RejectCode.TRADING_HALTED
    assert "margin call" in refusal.message
    assert refusal_of(desk.replace("A", "D", qty="2")).code is RejectCode.TRADING_HALTED
    desk.cancel("A")
    assert desk.order("A").status is OrderStatus.PENDING_CANCEL
    desk.do(ResumeTrading(account_id=ACCOUNT_ID))
    desk.working("buy 1 AAPL limit 90", "E")


def test_the_same_order_again_changes_nothing() -> None:
    desk = Desk()
    desk.submit("buy 1 AAPL limit 90", "A", client_order_id="mine")
    before = desk.core.state_hash()
    assert desk.submit("buy 1.0 AAPL limit 90.00", "Z", client_order_id="mine") == []
    assert desk.core.state_hash() == before
    assert order_uuid("Z") not in desk.core.state.orders


def test_the_same_order_again_after_it_is_done_changes_nothing() -> None:
    desk = Desk()
    desk.submit("buy 1 AAPL limit 90", "A", client_order_id="mine")
    desk.fill("A", "1", "90")
    assert desk.submit("buy 1 AAPL limit 90", "Z", client_order_id="mine") == []


@pytest.mark.parametrize(
    "other", ["buy 2 AAPL limit 90", "buy 1 AAPL limit 91", "buy 1 AAPL market", "buy 1 BRK limit 90"]
)
def test_the_same_client_order_id_for_another_order_is_a_conflict(other: str) -> None:
    desk = Desk()
    desk.submit("buy 1 AAPL limit 90", "A", client_order_id="mine")
    refusal = desk.refused(other, "Z", client_order_id="mine")
    assert (refusal.code, refusal.value) == (RejectCode.CLIENT_ORDER_ID_CONFLICT, "mine")


def test_submission_times_differ_by_a_microsecond() -> None:
    desk = Desk()
    times = []
    for name in "ABC":
        desk.now_ns -= 1_000_000  # the clock stands still
        times.append(the(desk.submit("buy 1 AAPL limit 10", name), OrderSubmitted).order.submitted_at_ns)
    assert [later - earlier for earlier, later in pairwise(times)] == [1_000, 1_000]


def test_an_unknown_account_is_refused() -> None:
    desk = Desk()
    desk.core.state.accounts.clear()
    desk.core.state.orders.clear()
    assert desk.refused("buy 1 AAPL market").code is RejectCode.UNKNOWN_ACCOUNT
