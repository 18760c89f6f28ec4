"""Alpaca's Order object: the same in answers of the REST API and in order updates."""

from decimal import Decimal

import msgspec

from tradewind.adapters.alpaca.timestamps import rfc3339, rfc3339_or_none
from tradewind.domain.decimals import format_decimal
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.order import Order

SIMPLE_ORDER_CLASS = "simple"


class AlpacaOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Every field that Alpaca's clients know. Amounts are plain decimal text, times RFC 3339 text."""

    id: str
    client_order_id: str
    created_at: str
    updated_at: str
    submitted_at: str
    filled_at: str | None
    expired_at: str | None
    expires_at: str | None
    canceled_at: str | None
    failed_at: str | None
    replaced_at: str | None
    replaced_by: str | None
    replaces: str | None
    asset_id: str
    symbol: str
    asset_class: str
    notional: str | None
    qty: str | None
    filled_qty: str
    filled_avg_price: str | None
    order_class: str
    order_type: str
    type: str
    side: str
    position_intent: str | None
    time_in_force: str
    limit_price: str | None
    stop_price: str | None
    status: str
    extended_hours: bool
    legs: list["AlpacaOrder"] | None
    trail_percent: str | None
    trail_price: str | None
    hwm: str | None
    ratio_qty: str | None
    subtag: str | None
    source: str | None


def alpaca_order(order: Order, instrument: Instrument) -> AlpacaOrder:
    """The order as Alpaca's clients see it; `instrument` is the one that it trades."""
    return AlpacaOrder(
        id=order.order_id,
        client_order_id=order.client_order_id,
        created_at=rfc3339(order.submitted_at_ns),
        updated_at=rfc3339(order.updated_at_ns or order.submitted_at_ns),
        submitted_at=rfc3339(order.submitted_at_ns),
        filled_at=rfc3339_or_none(order.filled_at_ns),
        expired_at=rfc3339_or_none(order.expired_at_ns),
        expires_at=rfc3339_or_none(order.expires_at_ns),
        canceled_at=rfc3339_or_none(order.canceled_at_ns),
        failed_at=rfc3339_or_none(order.failed_at_ns),
        replaced_at=rfc3339_or_none(order.replaced_at_ns),
        replaced_by=order.replaced_by,
        replaces=order.replaces,
        asset_id=instrument.asset_id,
        symbol=order.symbol,
        asset_class=instrument.asset_class.value,
        notional=decimal_text_or_none(order.notional),
        qty=decimal_text_or_none(order.qty),
        filled_qty=format_decimal(order.filled_qty),
        filled_avg_price=decimal_text_or_none(order.average_fill_price),
        order_class=SIMPLE_ORDER_CLASS,
        order_type=order.order_type.value,
        type=order.order_type.value,
        side=order.side.value,
        position_intent=None,
        time_in_force=order.time_in_force.value,
        limit_price=decimal_text_or_none(order.limit_price),
        stop_price=decimal_text_or_none(order.stop_price),
        status=order.status.value,
        extended_hours=order.extended_hours,
        legs=None,
        trail_percent=None,
        trail_price=None,
        hwm=None,
        ratio_qty=None,
        subtag=None,
        source=None,
    )


def decimal_text_or_none(amount: Decimal | None) -> str | None:
    """`format_decimal`, with None for what does not apply."""
    return None if amount is None else format_decimal(amount)
