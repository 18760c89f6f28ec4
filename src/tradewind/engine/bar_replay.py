"""Turns a stored bar back into plausible quotes and trades.

A bar becomes four trades: open, the two extremes, close. A rising bar visits its low first, a falling one its high
first (the usual convention, since the order within a bar is not known). They happen at the start, after a third,
after two thirds, and just before the end. Each carries a quarter of the volume, so that bars built from the trades
have the same open, high, low, close and volume. Right before each trade comes a quote around its price.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from tradewind.domain.decimals import ZERO
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.market.ticks import Bar, Quote, Trade
from tradewind.domain.market.timeframe import Timeframe

HALF_SPREAD = Decimal("0.0001")
"""A quote's distance from the trade's price on each side: one basis point, widened to the tick grid."""
UNKNOWN_QUOTE_SIZE = Decimal(100)
"""Size shown on both sides when the bar has no volume, in units of the instrument."""
CLOSE_BEFORE_END_NS = 1_000
"""The close happens a microsecond before the bar ends."""

_PARTS = 4


def events_of(bar: Bar, instrument: Instrument, first_trade_id: int) -> list[Quote | Trade]:
    """The bar's quotes and trades in the order of their time; uses four trade ids from `first_trade_id` on."""
    duration_ns = Timeframe.parse(bar.timeframe).duration_ns
    offsets_ns = (0, duration_ns // 3, 2 * duration_ns // 3, duration_ns - CLOSE_BEFORE_END_NS)
    extremes = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    events: list[Quote | Trade] = []
    for number, price in enumerate((bar.open, *extremes, bar.close)):
        ts_ns = bar.start_ns + offsets_ns[number]
        events.append(quote_around(price, bar.volume, instrument, ts_ns))
        events.append(Trade(bar.symbol, price, bar.volume / _PARTS, ts_ns, first_trade_id + number))
    return events


def quote_around(price: Decimal, volume: Decimal, instrument: Instrument, ts_ns: int) -> Quote:
    """A quote around `price` on the tick grid.

    Each side shows a quarter of `volume`, at least one lot; `UNKNOWN_QUOTE_SIZE` when the volume is zero.
    """
    # Each side on the grid at its own price: an equity's tick changes at 1.00.
    bid, ask = price * (1 - HALF_SPREAD), price * (1 + HALF_SPREAD)
    bid_tick = instrument.tick_for(bid)
    bid_price = max(bid_tick, _on_grid(bid, bid_tick, ROUND_FLOOR))
    ask_price = _on_grid(ask, instrument.tick_for(ask), ROUND_CEILING)
    ask_price = max(ask_price, bid_price + instrument.tick_for(bid_price))
    size = UNKNOWN_QUOTE_SIZE if volume == ZERO else _shown_size(volume, instrument.lot_size)
    return Quote(instrument.symbol, bid_price, size, ask_price, size, ts_ns)


def _shown_size(volume: Decimal, lot: Decimal) -> Decimal:
    return max(lot, _on_grid(volume / _PARTS, lot, ROUND_FLOOR))


def _on_grid(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (value / step).to_integral_value(rounding) * step
