"""Alpaca's Position object."""

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from tradewind.domain.decimals import format_decimal, quantize_money
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.positions.position import Position
from tradewind.services.gateway.instrument_directory import joined_symbol

_RATIO_QUANTUM = Decimal("0.0000000001")


class AlpacaPosition(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts are plain decimal text, ratios are fractions. What needs a price that is not known (yet) is null."""

    asset_id: str
    symbol: str
    exchange: str
    asset_class: str
    asset_marginable: bool
    qty: str
    qty_available: str
    side: str
    avg_entry_price: str
    cost_basis: str
    market_value: str | None
    current_price: str | None
    unrealized_pl: str | None
    unrealized_plpc: str | None
    unrealized_intraday_pl: str | None
    unrealized_intraday_plpc: str | None
    lastday_price: str
    change_today: str | None


class DayBasis(msgspec.Struct, frozen=True, kw_only=True):
    """What today's profit is measured against: the last day's price, and the position's `day_cost`."""

    last_price: Decimal
    cost: Decimal


def alpaca_position(
    position: Position, instrument: Instrument, mark_price: Decimal | None, day: DayBasis
) -> AlpacaPosition:
    """The position valued at `mark_price`."""
    profit = None if mark_price is None else position.unrealised_pnl(mark_price)
    value = None if mark_price is None else position.market_value(mark_price)
    profit_today = None if value is None else value - day.cost
    change = None if mark_price is None else mark_price - day.last_price
    sign = 1 if position.qty > 0 else -1
    return AlpacaPosition(
        asset_id=instrument.asset_id,
        symbol=joined_symbol(position.symbol),
        exchange=instrument.exchange,
        asset_class=instrument.asset_class.value,
        asset_marginable=instrument.marginable,
        qty=format_decimal(position.qty),
        qty_available=format_decimal(position.available_qty * sign),
        side="long" if position.qty > 0 else "short",
        avg_entry_price=format_decimal(position.average_entry_price),
        cost_basis=format_decimal(quantize_money(position.cost_basis)),
        market_value=_money(value),
        current_price=_money(mark_price),
        unrealized_pl=_money(profit),
        unrealized_plpc=_ratio(profit, position.cost_basis),
        unrealized_intraday_pl=_money(profit_today),
        unrealized_intraday_plpc=_ratio(profit_today, day.cost),
        lastday_price=format_decimal(quantize_money(day.last_price)),
        change_today=_ratio(change, day.last_price),
    )


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else format_decimal(quantize_money(amount))


def _ratio(change: Decimal | None, base: Decimal) -> str | None:
    if change is None or not base:
        return None
    return format_decimal((change / abs(base)).quantize(_RATIO_QUANTUM, ROUND_HALF_EVEN))
