"""Reads the bodies of POST and PATCH orders into values; every failure names field, value and what is allowed.

Fields of Alpaca's that this platform does not use are taken when they ask for nothing, and refused when they ask for
something that would not be done.
"""

from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from tradewind.domain.orders.terms import OrderType, Side, TimeInForce
from tradewind.services.gateway.errors import ApiError, bad_value, missing
from tradewind.services.gateway.fields import (
    bool_field,
    choice_field,
    decimal_field,
    decode_object,
    required_text,
    text_field,
)

MAX_CLIENT_ORDER_ID_LENGTH = 128
MAX_SYMBOL_LENGTH = 36
UNSUPPORTED_TYPES = ("trailing_stop",)
UNSUPPORTED_TIMES_IN_FORCE = ("opg", "cls")
SIMPLE_CLASSES = ("", "simple")

_USED = frozenset(
    (
        "symbol",
        "qty",
        "notional",
        "side",
        "type",
        "time_in_force",
        "limit_price",
        "stop_price",
        "extended_hours",
        "client_order_id",
    )
)
_NEUTRAL_ONLY: MappingProxyType[str, str] = MappingProxyType(
    {
        "trail_price": "trailing stops are not supported",
        "trail_percent": "trailing stops are not supported",
        "take_profit": "bracket, oco and oto orders are not supported",
        "stop_loss": "bracket, oco and oto orders are not supported",
        "legs": "multi-leg orders are not supported",
        "ratio_qty": "multi-leg orders are not supported",
        "advanced_instructions": "advanced instructions are not supported",
        "subtag": "subtags are not supported",
    }
)
_SPECIAL = frozenset(("order_class", "position_intent", "order_type"))
_POST_FIELDS = _USED | _NEUTRAL_ONLY.keys() | _SPECIAL
_PATCH_USED = frozenset(("qty", "time_in_force", "limit_price", "stop_price", "client_order_id"))
_PATCH_NEUTRAL_ONLY: MappingProxyType[str, str] = MappingProxyType(
    {
        "trail": "trailing stops are not supported",
        "advanced_instructions": "advanced instructions are not supported",
    }
)
_PATCH_FIELDS = _PATCH_USED | _PATCH_NEUTRAL_ONLY.keys()
_INTENTS: MappingProxyType[Side, tuple[str, ...]] = MappingProxyType(
    {Side.BUY: ("buy_to_open", "buy_to_close"), Side.SELL: ("sell_to_open", "sell_to_close")}
)


class OrderBody(msgspec.Struct, frozen=True, kw_only=True):
    """A new order as a client asks for it. Amounts are exact; the symbol is not looked up yet."""

    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    extended_hours: bool
    client_order_id: str | None


class ReplacementBody(msgspec.Struct, frozen=True, kw_only=True):
    """New terms of an order; None keeps a term."""

    qty: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: TimeInForce | None
    client_order_id: str | None


def read_order(body: bytes) -> OrderBody:
    """A new order. Raises `ApiError`."""
    fields = decode_object(body)
    _refuse_unknown(fields, _POST_FIELDS)
    _refuse_order_class(fields)
    _refuse_demands(fields, _NEUTRAL_ONLY)
    side = choice_field(fields, "side", Side)
    if side is None:
        raise missing("side", ", ".join(Side))
    time_in_force = choice_field(fields, "time_in_force", TimeInForce, UNSUPPORTED_TIMES_IN_FORCE)
    if time_in_force is None:
        raise missing("time_in_force", ", ".join(TimeInForce))
    _refuse_intent(fields, side)
    order_type = _order_type(fields)
    return OrderBody(
        symbol=required_text(fields, "symbol", MAX_SYMBOL_LENGTH),
        side=side,
        order_type=order_type,
        time_in_force=time_in_force,
        qty=decimal_field(fields, "qty"),
        notional=decimal_field(fields, "notional"),
        limit_price=decimal_field(fields, "limit_price"),
        stop_price=decimal_field(fields, "stop_price"),
        extended_hours=_extended_hours(fields, order_type, time_in_force),
        client_order_id=text_field(fields, "client_order_id", MAX_CLIENT_ORDER_ID_LENGTH),
    )


def read_replacement(body: bytes) -> ReplacementBody:
    """New terms. Raises `ApiError`."""
    fields = decode_object(body)
    _refuse_unknown(fields, _PATCH_FIELDS)
    _refuse_demands(fields, _PATCH_NEUTRAL_ONLY)
    return ReplacementBody(
        qty=decimal_field(fields, "qty"),
        limit_price=decimal_field(fields, "limit_price"),
        stop_price=decimal_field(fields, "stop_price"),
        time_in_force=choice_field(fields, "time_in_force", TimeInForce, UNSUPPORTED_TIMES_IN_FORCE),
        client_order_id=text_field(fields, "client_order_id", MAX_CLIENT_ORDER_ID_LENGTH),
    )


def _order_type(fields: dict[str, Any]) -> OrderType:
    order_type = choice_field(fields, "type", OrderType, UNSUPPORTED_TYPES)
    twin = choice_field(fields, "order_type", OrderType, UNSUPPORTED_TYPES)
    if order_type is not None and twin is not None and order_type is not twin:
        raise bad_value("order_type", twin.value, f"the same as type, {order_type}")
    return order_type or twin or OrderType.MARKET


def _extended_hours(fields: dict[str, Any], order_type: OrderType, time_in_force: TimeInForce) -> bool:
    wanted = bool_field(fields, "extended_hours") or False
    fits = order_type is OrderType.LIMIT and time_in_force in (TimeInForce.DAY, TimeInForce.GTC)
    if wanted and not fits:
        message = "extended hours order must be DAY or GTC limit orders"
        raise bad_value(
            "extended_hours", value=True, allowed="true for limit orders with day or gtc", message=message
        )
    return wanted


def _refuse_unknown(fields: dict[str, Any], known: frozenset[str]) -> None:
    if fields.keys() <= known:
        return
    name = min(fields.keys() - known)
    raise ApiError(
        422,
        40010001,
        f"unknown field: {name[:100]}",
        {"field": name[:100], "allowed": ", ".join(sorted(known))},
    )


def _refuse_order_class(fields: dict[str, Any]) -> None:
    order_class = fields.get("order_class")
    if order_class is not None and order_class not in SIMPLE_CLASSES:
        message = f"order_class {order_class} is not supported" if isinstance(order_class, str) else None
        raise bad_value("order_class", order_class, "simple, or absent", message)


def _refuse_demands(fields: dict[str, Any], neutral_only: MappingProxyType[str, str]) -> None:
    for name in fields.keys() & neutral_only.keys():
        if fields[name] not in (None, "", [], {}):
            raise bad_value(name, fields[name], "null, or absent", neutral_only[name])


def _refuse_intent(fields: dict[str, Any], side: Side) -> None:
    intent = fields.get("position_intent")
    if intent not in (None, "") and intent not in _INTENTS[side]:
        raise bad_value("position_intent", intent, ", ".join(_INTENTS[side]))
