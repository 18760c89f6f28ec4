"""Market data as it happens: quotes, trades and bars. `ts_ns` is the event's time, nanoseconds since the epoch."""

from decimal import Decimal

import msgspec

from tradewind.domain.identifiers import Symbol


class Quote(msgspec.Struct, frozen=True, gc=False, tag="quote"):
    """The best bid and offer: prices in the instrument's currency, sizes in units of the instrument."""

    symbol: Symbol
    bid_price: Decimal
    bid_size: Decimal
    ask_price: Decimal
    ask_size: Decimal
    ts_ns: int

    @property
    def mid_price(self) -> Decimal:
        """Halfway between bid and ask."""
        return (self.bid_price + self.ask_price) / 2


class Trade(msgspec.Struct, frozen=True, gc=False, tag="trade"):
    """One trade on the market (not one of ours). `trade_id` rises within a symbol."""

    symbol: Symbol
    price: Decimal
    size: Decimal
    ts_ns: int
    trade_id: int


class Bar(msgspec.Struct, frozen=True, gc=False, tag="bar"):
    """Open, high, low, close and volume of `[start_ns, start_ns + timeframe)`.

    `timeframe` is the text of a `Timeframe` ("1Min"); `vwap` is the volume-weighted average price.
    """

    symbol: Symbol
    timeframe: str
    start_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trade_count: int
    vwap: Decimal


class DailyBar(msgspec.Struct, frozen=True, gc=False, tag="daily"):
    """The bar of a day so far, told anew with every minute bar: its last telling is the whole day's.

    A type of its own, so that nobody takes a day that still runs for a finished `Bar`. Fields are a `Bar`'s; the day
    is that of the timeframe 1Day.
    """

    symbol: Symbol
    start_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trade_count: int
    vwap: Decimal


MarketEvent = Quote | Trade | Bar | DailyBar
