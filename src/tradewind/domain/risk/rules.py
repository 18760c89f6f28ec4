"""The risk rules, in the order in which they are asked. Each returns the refusal, or None when it has no objection."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.accounts.valuation import free_margin
from tradewind.domain.decimals import ZERO, format_decimal
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.terms import Side
from tradewind.domain.refusal import Refusal
from tradewind.domain.reject_codes import RejectCode
from tradewind.domain.risk.holds import Hold, closing_hold, opening_hold, worst_price
from tradewind.domain.risk.limits import RiskLimits


class RiskContext(msgspec.Struct, frozen=True):
    """What the rules look at besides the order and its account."""

    instruments: Mapping[Symbol, Instrument]
    marks: Mapping[Symbol, Decimal]
    limits: RiskLimits


def refuse_trading(account: Account, instrument: Instrument, limits: RiskLimits) -> Refusal | None:
    """Halted accounts, untradable instruments and too many open orders."""
    if account.halt_reason is not None:
        return Refusal(
            code=RejectCode.TRADING_HALTED,
            message=f"trading of this account is halted: {account.halt_reason}",
        )
    if not instrument.tradable:
        return Refusal(
            code=RejectCode.SYMBOL_NOT_TRADABLE,
            message=f"asset {instrument.symbol} is not tradable",
            field="symbol",
            value=instrument.symbol,
            allowed="tradable assets, see /v2/assets",
        )
    if len(account.open_orders) >= limits.max_open_orders:
        return Refusal(
            code=RejectCode.TOO_MANY_OPEN_ORDERS,
            message="too many open orders",
            allowed=f"at most {limits.max_open_orders} open orders an account",
        )
    return None


def assess(
    order: Order, account: Account, context: RiskContext, *, freed_cash: Decimal = ZERO
) -> Hold | Refusal:
    """The hold that lets the order through, or the refusal.

    `freed_cash` is what a replaced order holds and gives back.
    """
    price = worst_price(order, context.marks)
    if price is None:
        return Refusal(
            code=RejectCode.NO_REFERENCE_PRICE,
            message=f"no market data for {order.symbol} yet",
            field="symbol",
            value=order.symbol,
            allowed="a limit order, or try again when the symbol has quotes",
        )
    value = order.notional if order.notional is not None else order.leaves_qty * price
    if value > context.limits.max_order_notional:
        limit = format_decimal(context.limits.max_order_notional)
        return Refusal(
            code=RejectCode.MAX_ORDER_NOTIONAL,
            message=f"order value {format_decimal(value)} exceeds the limit of {limit}",
            field="notional" if order.qty is None else "qty",
            value=format_decimal(order.qty if order.qty is not None else value),
            allowed=f"orders worth at most {limit}",
        )
    position = account.positions.get(order.symbol)
    if position is not None and position.reduced_by(order.side):
        return _assess_closing(order, account, context.marks)
    return _assess_opening(order, account, context, price, freed_cash)


def _assess_closing(order: Order, account: Account, marks: Mapping[Symbol, Decimal]) -> Hold | Refusal:
    position = account.positions[order.symbol]
    available = position.available_qty
    if order.notional is not None:
        # It reserves all that is free and trades at most that; what is free must be worth the notional now.
        available_value = max(available, ZERO) * marks[order.symbol]
        if order.notional > available_value:
            return _refuse_notional_close(order, available_value)
        return closing_hold(order, available)
    wanted = order.leaves_qty
    if wanted <= available and available > 0:
        return closing_hold(order, available)
    held = format_decimal(position.held_qty)
    return Refusal(
        code=RejectCode.INSUFFICIENT_QTY,
        message=(
            f"insufficient qty available for order (requested: {format_decimal(wanted)}, "
            f"available: {format_decimal(max(available, ZERO))})"
        ),
        field="qty",
        value=format_decimal(wanted),
        allowed=f"at most {format_decimal(max(available, ZERO))}",
        details={
            "symbol": order.symbol,
            "existing_qty": format_decimal(abs(position.qty)),
            "held_for_orders": held,
            "available": format_decimal(max(available, ZERO)),
        },
    )


def _refuse_notional_close(order: Order, available_value: Decimal) -> Refusal:
    available = format_decimal(available_value)
    wanted = format_decimal(order.notional or ZERO)
    return Refusal(
        code=RejectCode.INSUFFICIENT_QTY,
        message=f"insufficient qty available for order (requested: worth {wanted}, available: worth {available})",
        field="notional",
        value=wanted,
        allowed=f"at most {available}",
        details={"symbol": order.symbol, "available_value": available},
    )


def _assess_opening(
    order: Order, account: Account, context: RiskContext, price: Decimal, freed_cash: Decimal
) -> Hold | Refusal:
    instrument = context.instruments[order.symbol]
    if order.side is Side.SELL and not (account.may_short and instrument.shortable):
        return _refuse_short(order, account, instrument)
    hold = opening_hold(order, account, instrument, price)
    free = free_margin(
        account.cash_available + freed_cash,
        account.multiplier,
        account.positions.values(),
        context.marks,
        context.instruments,
    )
    if hold.cash <= free:
        return hold
    buying_power = max(free, ZERO) * (account.multiplier if instrument.marginable else Decimal(1))
    cost_basis = order.notional if order.notional is not None else order.leaves_qty * price
    return Refusal(
        code=RejectCode.INSUFFICIENT_BUYING_POWER,
        message="insufficient buying power",
        field="notional" if order.qty is None else "qty",
        value=format_decimal(order.qty if order.qty is not None else cost_basis),
        allowed=f"orders worth at most {format_decimal(buying_power)}",
        details={"buying_power": format_decimal(buying_power), "cost_basis": format_decimal(cost_basis)},
    )


def _refuse_short(order: Order, account: Account, instrument: Instrument) -> Refusal:
    if account.may_short or not instrument.shortable:
        message = f"asset {instrument.symbol} cannot be sold short"
    else:
        message = "account is not allowed to short"
    return Refusal(
        code=RejectCode.SHORTING_NOT_ALLOWED,
        message=message,
        field="side",
        value=order.side,
        allowed="sell at most what the account holds",
        details={"symbol": order.symbol, "existing_qty": "0", "held_for_orders": "0", "available": "0"},
    )
