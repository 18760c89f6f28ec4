"""Alpaca's Account object."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tradewind.domain.accounts.account import Account
from tradewind.domain.accounts.valuation import equity, free_margin, maintenance_rate, margin_rate, mark_of
from tradewind.domain.decimals import ZERO, format_decimal, quantize_money
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.services.gateway.account.last_day import LastDay
from tradewind.services.gateway.timestamps import rfc3339


class AlpacaAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts are plain decimal text. What this platform does not track is null or neutral.

    `last_*` are of the previous close, whose day is `balance_asof`; for an account opened since then the opening deposits,
    and the day of the opening. Day trades are not counted: no rule here depends on their number.
    """

    id: str
    account_number: str
    currency: str
    cash: str
    buying_power: str
    regt_buying_power: str
    non_marginable_buying_power: str
    effective_buying_power: str
    portfolio_value: str
    equity: str
    long_market_value: str
    short_market_value: str
    position_market_value: str
    initial_margin: str
    maintenance_margin: str
    multiplier: str
    shorting_enabled: bool
    trading_blocked: bool
    created_at: str
    last_equity: str
    last_maintenance_margin: str
    balance_asof: str
    status: str = "ACTIVE"
    crypto_status: str = "ACTIVE"
    daytrading_buying_power: str = "0"
    options_buying_power: str = "0"
    accrued_fees: str = "0"
    pending_transfer_in: str | None = None
    pending_transfer_out: str | None = None
    sma: str | None = None
    transfers_blocked: bool = False
    account_blocked: bool = False
    trade_suspended_by_user: bool = False
    pattern_day_trader: bool = False
    daytrade_count: int = 0
    crypto_tier: int = 1
    intraday_adjustments: str = "0"
    pending_reg_taf_fees: str = "0"
    options_approved_level: int = 0
    options_trading_level: int = 0


def alpaca_account(
    account: Account,
    marks: Mapping[Symbol, Decimal],
    instruments: Mapping[Symbol, Instrument],
    last_day: LastDay,
) -> AlpacaAccount:
    """The account valued at `marks`; a position without one counts at its average entry price."""
    held = [position for position in account.positions.values() if position.qty]
    values = [position.market_value(mark_of(position, marks)) for position in held]
    rates = [margin_rate(instruments[position.symbol], account.multiplier) for position in held]
    free = max(ZERO, free_margin(account.cash_available, account.multiplier, held, marks, instruments))
    worth = _money(equity(account.cash, held, marks))
    buying_power = _money(free * account.multiplier)
    maintenance = [maintenance_rate(instruments[position.symbol], account.multiplier) for position in held]
    return AlpacaAccount(
        id=account.account_id,
        account_number=account.account_number,
        currency=account.currency,
        cash=_money(account.cash),
        buying_power=buying_power,
        regt_buying_power=buying_power,
        non_marginable_buying_power=_money(free),
        effective_buying_power=buying_power,
        portfolio_value=worth,
        equity=worth,
        long_market_value=_money(sum((value for value in values if value > 0), ZERO)),
        short_market_value=_money(sum((value for value in values if value < 0), ZERO)),
        position_market_value=_money(sum(values, ZERO)),
        initial_margin=_money(_weighted(values, rates)),
        maintenance_margin=_money(_weighted(values, maintenance)),
        multiplier=format_decimal(account.multiplier),
        shorting_enabled=account.may_short,
        trading_blocked=account.halt_reason is not None,
        created_at=rfc3339(account.created_at_ns),
        last_equity=_money(last_day.equity),
        last_maintenance_margin=_money(last_day.maintenance_margin),
        balance_asof=last_day.asof,
    )


def _weighted(values: list[Decimal], rates: list[Decimal]) -> Decimal:
    return sum((abs(value) * rate for value, rate in zip(values, rates, strict=True)), ZERO)


def _money(amount: Decimal) -> str:
    return format_decimal(quantize_money(amount))
