"""The instruments that a new installation trades."""

import uuid
from decimal import Decimal

from tradewind.domain.market.instrument import AssetClass, Instrument

_NAMESPACE = uuid.UUID("5b0f8a34-6a0e-5d0c-9d7f-0c3c1e6b7a10")
_SMALLEST_QTY = Decimal("0.000000001")
_CRYPTO_FEE_RATE = Decimal("0.0025")

_EQUITIES = (
    ("AAPL", "Apple Inc. Common Stock", "NASDAQ"),
    ("AMZN", "Amazon.com Inc. Common Stock", "NASDAQ"),
    ("GOOG", "Alphabet Inc. Class C Capital Stock", "NASDAQ"),
    ("JPM", "JPMorgan Chase & Co. Common Stock", "NYSE"),
    ("META", "Meta Platforms Inc. Class A Common Stock", "NASDAQ"),
    ("MSFT", "Microsoft Corporation Common Stock", "NASDAQ"),
    ("NVDA", "NVIDIA Corporation Common Stock", "NASDAQ"),
    ("SPY", "State Street SPDR S&P 500 ETF Trust", "ARCA"),
    ("TSLA", "Tesla Inc. Common Stock", "NASDAQ"),
)
_CRYPTO_PAIRS = (
    ("BTC/USD", "Bitcoin / US Dollar"),
    ("ETH/USD", "Ethereum / US Dollar"),
    ("SOL/USD", "Solana / US Dollar"),
)


def asset_id_of(symbol: str) -> str:
    """The asset id that a symbol has in every installation."""
    return str(uuid.uuid5(_NAMESPACE, symbol))


def default_universe() -> list[Instrument]:
    """A dozen instruments, by asset class and symbol."""
    equities = [_equity(symbol, name, exchange) for symbol, name, exchange in _EQUITIES]
    return equities + [_crypto_pair(symbol, name) for symbol, name in _CRYPTO_PAIRS]


def _equity(symbol: str, name: str, exchange: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        asset_id=asset_id_of(symbol),
        asset_class=AssetClass.EQUITY,
        name=name,
        exchange=exchange,
        lot_size=_SMALLEST_QTY,
        min_order_size=_SMALLEST_QTY,
        fractionable=True,
        shortable=True,
        marginable=True,
    )


def _crypto_pair(symbol: str, name: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        asset_id=asset_id_of(symbol),
        asset_class=AssetClass.CRYPTO,
        name=name,
        exchange="CRYPTO",
        lot_size=_SMALLEST_QTY,
        min_order_size=_SMALLEST_QTY,
        max_fee_rate=_CRYPTO_FEE_RATE,
        fractionable=True,
    )
