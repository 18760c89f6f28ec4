"""How each simulated instrument moves: its price, volatility, spread and sizes."""

from decimal import Decimal

import msgspec

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.instrument import AssetClass, Instrument


class MarketProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The character of one simulated market.

    `annual_volatility` is the standard deviation of a year's log return. `spread_bps` is the usual spread in
    hundredths of a percent of the price (never less than one tick). `typical_size` is the median size at the touch,
    in units of the instrument; sizes are multiples of `size_step`. `trade_probability` is the chance that a trade
    follows a quote.
    """

    reference_price: float
    annual_volatility: float
    spread_bps: float
    typical_size: float
    size_step: Decimal
    trade_probability: float


def _equity(price: float, volatility: float, spread_bps: float, size: float) -> MarketProfile:
    return MarketProfile(
        reference_price=price,
        annual_volatility=volatility,
        spread_bps=spread_bps,
        typical_size=size,
        size_step=Decimal(1),
        trade_probability=0.55,
    )


def _crypto(price: float, volatility: float, spread_bps: float, size: float) -> MarketProfile:
    return MarketProfile(
        reference_price=price,
        annual_volatility=volatility,
        spread_bps=spread_bps,
        typical_size=size,
        size_step=Decimal("0.0001"),
        trade_probability=0.65,
    )


_BY_SYMBOL: dict[Symbol, MarketProfile] = {
    "AAPL": _equity(228.0, 0.26, 0.6, 400),
    "MSFT": _equity(425.0, 0.23, 0.7, 200),
    "GOOG": _equity(178.0, 0.28, 0.9, 250),
    "AMZN": _equity(198.0, 0.31, 0.8, 300),
    "NVDA": _equity(135.0, 0.48, 1.0, 600),
    "TSLA": _equity(260.0, 0.58, 1.2, 300),
    "META": _equity(575.0, 0.34, 1.2, 120),
    "SPY": _equity(585.0, 0.14, 0.3, 900),
    "JPM": _equity(235.0, 0.22, 0.9, 200),
    "BTC/USD": _crypto(68_000.0, 0.52, 1.5, 0.6),
    "ETH/USD": _crypto(2_600.0, 0.62, 2.0, 6.0),
    "SOL/USD": _crypto(165.0, 0.80, 3.0, 60.0),
}


def profile_of(instrument: Instrument) -> MarketProfile:
    """The instrument's own profile, or a plain one of its asset class."""
    known = _BY_SYMBOL.get(instrument.symbol)
    if known is not None:
        return known
    if instrument.asset_class is AssetClass.CRYPTO:
        return _crypto(100.0, 0.7, 5.0, 50.0)
    return _equity(100.0, 0.3, 2.0, 200)
