"""Rules that an order's terms must obey whoever sends it: what fits together, and the instrument's increments."""

from decimal import Decimal

import msgspec

from tradewind.domain.decimals import MAX_MAGNITUDE, format_decimal, is_multiple
from tradewind.domain.market.instrument import AssetClass, Instrument
from tradewind.domain.orders.terms import OrderType, TimeInForce
from tradewind.domain.refusal import Refusal
from tradewind.domain.reject_codes import RejectCode

CENT = Decimal("0.01")


class OrderTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an order that these rules look at."""

    order_type: OrderType
    time_in_force: TimeInForce
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None


def refuse_terms(terms: OrderTerms, instrument: Instrument) -> Refusal | None:
    """The first rule that the terms break, or None."""
    return (
        _refuse_amount(terms, instrument)
        or _refuse_price(
            "limit_price",
            terms.limit_price,
            terms.order_type,
            instrument,
            is_needed=terms.order_type.has_limit_price,
        )
        or _refuse_price(
            "stop_price",
            terms.stop_price,
            terms.order_type,
            instrument,
            is_needed=terms.order_type.has_stop_price,
        )
        or _refuse_time_in_force(terms, instrument)
    )


def _refuse_amount(terms: OrderTerms, instrument: Instrument) -> Refusal | None:
    if (terms.qty is None) == (terms.notional is None):
        return Refusal(
            code=RejectCode.QTY_OR_NOTIONAL_REQUIRED,
            message="qty or notional is required",
            field="qty",
            value=None if terms.qty is None else format_decimal(terms.qty),
            allowed="exactly one of qty and notional",
        )
    if terms.qty is not None:
        return _refuse_qty(terms.qty, instrument)
    assert terms.notional is not None
    return _refuse_notional(terms.notional, terms.order_type, instrument)


def _refuse_qty(qty: Decimal, instrument: Instrument) -> Refusal | None:
    if qty <= 0:
        return _refusal(RejectCode.QTY_NOT_POSITIVE, "qty must be positive", "qty", qty, "greater than 0")
    if qty >= MAX_MAGNITUDE:
        return _too_large("qty", qty)
    if not is_multiple(qty, instrument.lot_size):
        code = RejectCode.QTY_INCREMENT if instrument.fractionable else RejectCode.NOT_FRACTIONABLE
        allowed = f"multiples of {format_decimal(instrument.lot_size)}"
        return _refusal(code, f"qty increment of {instrument.symbol} is not respected", "qty", qty, allowed)
    if qty < instrument.min_order_size:
        allowed = f"at least {format_decimal(instrument.min_order_size)}"
        return _refusal(RejectCode.QTY_BELOW_MINIMUM, "qty is below the minimum", "qty", qty, allowed)
    return None


def _refuse_notional(notional: Decimal, order_type: OrderType, instrument: Instrument) -> Refusal | None:
    if notional <= 0:
        return _refusal(
            RejectCode.NOTIONAL_NOT_POSITIVE,
            "notional must be positive",
            "notional",
            notional,
            "greater than 0",
        )
    if notional >= MAX_MAGNITUDE:
        return _too_large("notional", notional)
    if not is_multiple(notional, CENT):
        return _refusal(
            RejectCode.NOTIONAL_INCREMENT,
            "notional is limited to 2 decimal places",
            "notional",
            notional,
            "multiples of 0.01",
        )
    if order_type is not OrderType.MARKET:
        return _refusal(
            RejectCode.NOTIONAL_NEEDS_MARKET_ORDER,
            "notional orders must be market orders",
            "notional",
            notional,
            "qty for every type but market",
        )
    if not instrument.fractionable:
        return _refusal(
            RejectCode.NOT_FRACTIONABLE,
            f"{instrument.symbol} is not fractionable",
            "notional",
            notional,
            "qty in whole units",
        )
    if notional < instrument.min_notional:
        allowed = f"at least {format_decimal(instrument.min_notional)}"
        return _refusal(
            RejectCode.NOTIONAL_BELOW_MINIMUM, "notional is below the minimum", "notional", notional, allowed
        )
    return None


def _refuse_price(
    field: str, price: Decimal | None, order_type: OrderType, instrument: Instrument, *, is_needed: bool
) -> Refusal | None:
    is_limit = field == "limit_price"
    if price is None:
        if not is_needed:
            return None
        code = RejectCode.LIMIT_PRICE_REQUIRED if is_limit else RejectCode.STOP_PRICE_REQUIRED
        text = field.replace("_", " ")
        return Refusal(
            code=code, message=f"{order_type} orders require {text}", field=field, allowed="a positive price"
        )
    if not is_needed:
        code = RejectCode.LIMIT_PRICE_NOT_ALLOWED if is_limit else RejectCode.STOP_PRICE_NOT_ALLOWED
        return _refusal(code, f"{order_type} orders must not have a {field}", field, price, "none")
    if price <= 0:
        return _refusal(
            RejectCode.PRICE_NOT_POSITIVE, f"{field} must be positive", field, price, "greater than 0"
        )
    if price >= MAX_MAGNITUDE:
        return _too_large(field, price)
    tick = instrument.tick_for(price)
    if is_multiple(price, tick):
        return None
    shown = format_decimal(price)
    message = (
        f"invalid {field} {shown}. sub-penny increment does not fulfill minimum pricing criteria"
        if instrument.asset_class is AssetClass.EQUITY
        else f"invalid {field} {shown}. price increment of {instrument.symbol} is {format_decimal(tick)}"
    )
    code = RejectCode.LIMIT_PRICE_INCREMENT if is_limit else RejectCode.STOP_PRICE_INCREMENT
    return _refusal(code, message, field, price, f"multiples of {format_decimal(tick)}")


def _refuse_time_in_force(terms: OrderTerms, instrument: Instrument) -> Refusal | None:
    if instrument.asset_class is AssetClass.CRYPTO or terms.time_in_force is TimeInForce.DAY:
        return None
    is_fractional = terms.qty is None or not is_multiple(terms.qty, Decimal(1))
    if not is_fractional:
        return None
    return Refusal(
        code=RejectCode.FRACTIONAL_NEEDS_DAY,
        message="fractional orders must be DAY orders",
        field="time_in_force",
        value=terms.time_in_force,
        allowed="day",
    )


def _refusal(code: RejectCode, message: str, field: str, value: Decimal, allowed: str) -> Refusal:
    return Refusal(code=code, message=message, field=field, value=format_decimal(value), allowed=allowed)


def _too_large(field: str, value: Decimal) -> Refusal:
    return _refusal(
        RejectCode.VALUE_TOO_LARGE,
        f"{field} is too large",
        field,
        value,
        f"less than {format_decimal(MAX_MAGNITUDE)}",
    )
