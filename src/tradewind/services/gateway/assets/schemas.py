"""Alpaca's Asset object."""

import msgspec

from tradewind.domain.accounts.valuation import MAINTENANCE_RATE
from tradewind.domain.decimals import format_decimal
from tradewind.domain.market.instrument import AssetClass, Instrument


class AlpacaAsset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The three increments are there for crypto only."""

    id: str
    asset_class: str = msgspec.field(name="class")
    exchange: str
    symbol: str
    name: str
    status: str
    tradable: bool
    marginable: bool
    shortable: bool
    easy_to_borrow: bool
    borrow_status: str
    fractionable: bool
    maintenance_margin_requirement: int
    margin_requirement_long: str
    margin_requirement_short: str
    attributes: list[str]
    min_order_size: str | None = None
    min_trade_increment: str | None = None
    price_increment: str | None = None


def alpaca_asset(instrument: Instrument) -> AlpacaAsset:
    """The instrument as Alpaca's clients see it."""
    margin_percent = int(MAINTENANCE_RATE * 100) if instrument.marginable else 100
    is_crypto = instrument.asset_class is AssetClass.CRYPTO
    return AlpacaAsset(
        id=instrument.asset_id,
        asset_class=instrument.asset_class.value,
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        name=instrument.name,
        status="active" if instrument.tradable else "inactive",
        tradable=instrument.tradable,
        marginable=instrument.marginable,
        shortable=instrument.shortable,
        easy_to_borrow=instrument.shortable,
        borrow_status="easy_to_borrow" if instrument.shortable else "not_shortable",
        fractionable=instrument.fractionable,
        maintenance_margin_requirement=margin_percent,
        margin_requirement_long=str(margin_percent),
        margin_requirement_short=str(margin_percent),
        attributes=[],
        min_order_size=format_decimal(instrument.min_order_size) if is_crypto else None,
        min_trade_increment=format_decimal(instrument.lot_size) if is_crypto else None,
        price_increment=format_decimal(instrument.tick_size) if is_crypto else None,
    )
