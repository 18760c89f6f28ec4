"""Ticks and lots: prices and quantities just on, just off and at the ends of what is allowed.

The refusals one by one are in `tests/unit/engine/test_trading_core_submission.py`; here are the edges.
"""

from decimal import Decimal

import pytest

from tests.core_scenarios import parse_order
from tests.instruments import coin, fractional_share, share
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.validation import OrderTerms, refuse_terms
from tradewind.domain.refusal import Refusal
from tradewind.domain.reject_codes import RejectCode

WHOLE = share("BRK")
FRACTIONAL = fractional_share("AAPL")
IN_HUNDREDS = share("LOTS", lot_size=Decimal(100), min_order_size=Decimal(100))
BTC = coin("BTC/USD", tick_size=Decimal("0.5"), min_order_size=Decimal("0.0001"), min_notional=Decimal(10))
BILLIARDTH = "999999999999999"
"""The largest whole number that is allowed."""


def refusal(instrument: Instrument, text: str) -> Refusal | None:
    side, amount, *rest = text.split()
    fields = parse_order(" ".join([side, amount, instrument.symbol, *rest]))
    return refuse_terms(
        OrderTerms(
            order_type=fields["order_type"],
            time_in_force=fields["time_in_force"],
            **{name: fields.get(name) for name in ("qty", "notional", "limit_price", "stop_price")},
        ),
        instrument,
    )


@pytest.mark.parametrize(
    ("instrument", "text"),
    [
        (WHOLE, "buy 1 limit 1.00"),
        (WHOLE, "buy 1.000 limit 0.0001"),  # trailing zeros are no fraction
        (WHOLE, "buy 1 limit 0.9999"),  # below a dollar the tick is a hundredth of a cent
        (WHOLE, "buy 1 stop 0.9999 limit 1.01"),  # each price has the tick of its own height
        (WHOLE, f"buy {BILLIARDTH} limit 0.01"),
        (WHOLE, f"buy 1 limit {BILLIARDTH}"),
        (WHOLE, "buy 1 limit 10 gtc"),
        (IN_HUNDREDS, "sell 300 market"),
        (FRACTIONAL, "buy 0.000000001 market"),
        (FRACTIONAL, "buy $1 market"),
        (FRACTIONAL, "buy 2.0 limit 10 gtc"),  # whole, however it is written
        (BTC, "buy 0.0001 limit 60000.5"),
        (BTC, "buy 0.123456789 limit 0.5 gtc"),
        (BTC, "buy $10.00 market gtc"),
    ],
)
def test_what_is_just_allowed(instrument: Instrument, text: str) -> None:
    assert refusal(instrument, text) is None


@pytest.mark.parametrize(
    ("instrument", "text", "code", "allowed"),
    [
        (WHOLE, "buy 1 limit 1.0001", RejectCode.LIMIT_PRICE_INCREMENT, "multiples of 0.01"),
        (WHOLE, "buy 1 limit 0.99999", RejectCode.LIMIT_PRICE_INCREMENT, "multiples of 0.0001"),
        (WHOLE, "buy 1 stop 0.99991 limit 1", RejectCode.STOP_PRICE_INCREMENT, "multiples of 0.0001"),
        (WHOLE, "buy 1 stop 1.001 limit 1", RejectCode.STOP_PRICE_INCREMENT, "multiples of 0.01"),
        (WHOLE, "buy 0.999999999 market", RejectCode.NOT_FRACTIONABLE, "multiples of 1"),
        (WHOLE, "buy 1 limit 0", RejectCode.PRICE_NOT_POSITIVE, "greater than 0"),
        (WHOLE, "buy 1 limit 1e15", RejectCode.VALUE_TOO_LARGE, "less than 1" + "0" * 15),
        (WHOLE, "buy 1 stop 1e15", RejectCode.VALUE_TOO_LARGE, "less than 1" + "0" * 15),
        (IN_HUNDREDS, "sell 150 market", RejectCode.NOT_FRACTIONABLE, "multiples of 100"),
        (FRACTIONAL, "buy 1.0000000001 market", RejectCode.QTY_INCREMENT, "multiples of 0.000000001"),
        (FRACTIONAL, "buy $1e15 market", RejectCode.VALUE_TOO_LARGE, "less than 1" + "0" * 15),
        (FRACTIONAL, "buy $100 market gtc", RejectCode.FRACTIONAL_NEEDS_DAY, "day"),
        (BTC, "buy 0.000099999 limit 60000 gtc", RejectCode.QTY_BELOW_MINIMUM, "at least 0.0001"),
        (BTC, "buy 1 limit 60000.25", RejectCode.LIMIT_PRICE_INCREMENT, "multiples of 0.5"),
        (BTC, "buy 1 limit 0.25", RejectCode.LIMIT_PRICE_INCREMENT, "multiples of 0.5"),
        (BTC, "buy $9.99 market", RejectCode.NOTIONAL_BELOW_MINIMUM, "at least 10"),
    ],
)
def test_what_is_just_not_allowed(instrument: Instrument, text: str, code: RejectCode, allowed: str) -> None:
    found = refusal(instrument, text)
    assert found is not None
    assert (found.code, found.allowed) == (code, allowed)


def test_a_sub_penny_share_price_is_refused_in_the_words_that_alpacas_clients_look_for() -> None:
    found = refusal(WHOLE, "buy 1 limit 10.005")
    assert found is not None
    assert (
        found.message
        == "invalid limit_price 10.005. sub-penny increment does not fulfill minimum pricing criteria"
    )


def test_a_coins_price_increment_is_named() -> None:
    found = refusal(BTC, "buy 1 stop 60000.1")
    assert found is not None
    assert found.message == "invalid stop_price 60000.1. price increment of BTC/USD is 0.5"


def test_an_order_by_quantity_and_by_value_at_once_is_refused() -> None:
    fields = parse_order("buy 1 AAPL market")
    both = OrderTerms(
        order_type=fields["order_type"],
        time_in_force=fields["time_in_force"],
        qty=Decimal(1),
        notional=Decimal(100),
        limit_price=None,
        stop_price=None,
    )
    found = refuse_terms(both, FRACTIONAL)
    assert found is not None
    assert (found.code, found.value) == (RejectCode.QTY_OR_NOTIONAL_REQUIRED, "1")
