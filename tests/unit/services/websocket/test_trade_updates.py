"""Each event becomes the update that Alpaca's clients know."""

from decimal import Decimal

import pytest

from tests.unit.services.websocket.makers import (
    ALICE,
    NEW_ORDER_ID,
    NOON_NS,
    ORDER_ID,
    acknowledged,
    canceled,
    executed,
    make_order,
    published,
    submitted,
)
from tradewind.domain.events import (
    CommandRefused,
    Event,
    OrderCancelRejected,
    OrderCancelRequested,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
    TradingHalted,
)
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.orders.terms import Side
from tradewind.domain.refusal import Refusal
from tradewind.domain.reject_codes import RejectCode
from tradewind.services.websocket.trade_updates import trade_updates

NOTHING = Decimal(0)
ABOUT = {"account_id": ALICE, "order_id": ORDER_ID}
RELEASE = {
    "symbol": "AAPL",
    "side": Side.BUY,
    "currency": "USD",
    "released_cash": NOTHING,
    "released_qty": NOTHING,
}
REPLACED = OrderReplaced(
    **ABOUT,
    **RELEASE,
    new_order_id=NEW_ORDER_ID,
    status=OrderStatus.NEW,
    filled_qty=NOTHING,
    filled_value=NOTHING,
    held_cash=NOTHING,
    held_qty=NOTHING,
)


@pytest.mark.parametrize(
    ("event", "names"),
    [
        (submitted(make_order()), ["pending_new"]),
        (acknowledged(), ["new"]),
        (executed(OrderStatus.PARTIALLY_FILLED), ["partial_fill"]),
        (executed(OrderStatus.PENDING_CANCEL), ["partial_fill"]),
        (executed(OrderStatus.FILLED), ["fill"]),
        (OrderCancelRequested(**ABOUT), ["pending_cancel"]),
        (canceled(), ["canceled"]),
        (OrderExpired(**ABOUT, **RELEASE), ["expired"]),
        (OrderRejected(**ABOUT, **RELEASE, reason="closed"), ["rejected"]),
        (OrderCancelRejected(**ABOUT, status=OrderStatus.NEW, reason="too late"), ["order_cancel_rejected"]),
        (
            OrderReplaceRequested(**ABOUT, currency="USD", order=make_order(order_id=NEW_ORDER_ID)),
            ["pending_replace", "pending_new"],
        ),
        (REPLACED, ["replaced", "new"]),
        (
            OrderReplaceRejected(
                **ABOUT, **RELEASE, new_order_id=NEW_ORDER_ID, status=OrderStatus.NEW, reason="too late"
            ),
            ["order_replace_rejected", "rejected"],
        ),
    ],
)
def test_events_have_alpacas_names(event: Event, names: list[str]) -> None:
    old, new = make_order(), make_order(order_id=NEW_ORDER_ID)
    updates = trade_updates(published(3, event, old, new))
    assert [update.name for update in updates] == names
    assert [update.order for update in updates] == [old, new][: len(names)]
    assert {update.ts_ns for update in updates} == {NOON_NS + 3}
    assert {update.account_id for update in updates} == {ALICE}


def test_only_fills_carry_an_execution() -> None:
    fill = executed()
    assert trade_updates(published(1, fill, make_order()))[0].execution == fill
    assert trade_updates(published(1, acknowledged(), make_order()))[0].execution is None


def test_events_that_are_not_about_orders_are_not_told() -> None:
    refusal = Refusal(code=RejectCode.UNKNOWN_SYMBOL, message="no")
    refused = CommandRefused(account_id=ALICE, command="SubmitOrder", refusal=refusal)
    for event in (refused, TradingHalted(account_id=ALICE, reason="margin")):
        assert trade_updates(published(1, event, make_order())) == ()
