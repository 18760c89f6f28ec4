"""What the scenarios trade: shares and coins, each in one line with the terms that matter to the scenario."""

from decimal import Decimal

from tradewind.domain.market.instrument import AssetClass, Instrument

NANO = Decimal("0.000000001")
"""The finest quantity that is traded."""


def share(symbol: str, *, name: str = "", exchange: str = "NASDAQ", **terms: object) -> Instrument:
    """A US share, in whole units unless the terms say otherwise."""
    return _instrument(AssetClass.EQUITY, symbol, name, exchange, terms)


def fractional_share(symbol: str, *, name: str = "", exchange: str = "NASDAQ", **terms: object) -> Instrument:
    """A US share that is traded down to a thousand-millionth."""
    return share(
        symbol,
        name=name,
        exchange=exchange,
        **{"lot_size": NANO, "min_order_size": NANO, "fractionable": True, **terms},
    )


def coin(symbol: str, *, name: str = "", **terms: object) -> Instrument:
    """A crypto pair that is traded down to a thousand-millionth."""
    values = {"lot_size": NANO, "min_order_size": NANO, "fractionable": True, **terms}
    return _instrument(AssetClass.CRYPTO, symbol, name, "CRYPTO", values)


def _instrument(
    asset_class: AssetClass, symbol: str, name: str, exchange: str, terms: dict[str, object]
) -> Instrument:
    return Instrument(
        symbol=symbol,
        asset_id=f"0190a000-0000-7000-8000-{symbol.encode().hex()[:12]:0>12}",
        asset_class=asset_class,
        name=name or symbol,
        exchange=exchange,
        **terms,  # type: ignore[arg-type]
    )
