"""An instrument: what can be traded, and the increments that its orders must respect."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from tradewind.domain.identifiers import Symbol

_EQUITY_PENNY = Decimal("0.01")
_EQUITY_SUB_PENNY = Decimal("0.0001")
_ONE = Decimal(1)


class AssetClass(StrEnum):
    """The asset classes that the platform trades, in Alpaca's words."""

    EQUITY = "us_equity"
    CRYPTO = "crypto"


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """A tradable asset.

    `tick_size` is the price increment for prices of one unit of currency and above; equities below 1.00 use 0.0001
    (SEC Regulation NMS, rule 612). `lot_size` is the quantity increment when `fractionable`, otherwise whole units
    of it. `min_notional` is the least value of an order in `currency`. `max_fee_rate` bounds a venue's fee as a
    fraction of traded value: it is reserved with an order's hold.
    """

    symbol: Symbol
    asset_id: str
    asset_class: AssetClass
    name: str
    exchange: str
    currency: str = "USD"
    tick_size: Decimal = _EQUITY_PENNY
    lot_size: Decimal = _ONE
    min_order_size: Decimal = _ONE
    min_notional: Decimal = _ONE
    max_fee_rate: Decimal = Decimal(0)
    fractionable: bool = False
    shortable: bool = False
    marginable: bool = False
    tradable: bool = True

    def tick_for(self, price: Decimal) -> Decimal:
        """The price increment that applies at `price`."""
        if self.asset_class is AssetClass.EQUITY and price < _ONE:
            return _EQUITY_SUB_PENNY
        return self.tick_size
