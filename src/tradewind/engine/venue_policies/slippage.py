"""How much worse than the touch the simulated venue fills market orders."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Protocol

import msgspec

from tradewind.domain.decimals import ONE
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.terms import Side

_BASIS_POINTS = Decimal(10_000)


class SlippagePolicy(Protocol):
    """Prices market orders and triggered stops; limit orders never slip."""

    def price_of(self, instrument: Instrument, side: Side, touch_price: Decimal) -> Decimal:
        """The price of a fill at `touch_price` (> 0): never better for us than the touch, and above zero."""
        ...


class NoSlippage(msgspec.Struct, frozen=True):
    """Market orders fill at the touch."""

    def price_of(self, instrument: Instrument, side: Side, touch_price: Decimal) -> Decimal:
        """The touch itself."""
        return touch_price


class BasisPointSlippage(msgspec.Struct, frozen=True):
    """Market orders fill `bps` hundredths of a percent (0 to 10,000) beyond the touch, rounded to the tick against us:

    a buy's price up, a sell's price down, but never below one tick.
    """

    bps: Decimal

    def __post_init__(self) -> None:
        if not 0 <= self.bps <= _BASIS_POINTS:
            raise ValueError(f"bps: {self.bps} is not allowed (allowed: 0 to 10000)")

    def price_of(self, instrument: Instrument, side: Side, touch_price: Decimal) -> Decimal:
        """The touch price moved against `side` and rounded to the tick in the same direction."""
        share = self.bps / _BASIS_POINTS
        if side is Side.BUY:
            return _round_to_tick(touch_price * (ONE + share), instrument, ROUND_CEILING)
        slipped = touch_price * (ONE - share)
        return max(_round_to_tick(slipped, instrument, ROUND_FLOOR), instrument.tick_for(slipped))


def _round_to_tick(price: Decimal, instrument: Instrument, rounding: str) -> Decimal:
    tick = instrument.tick_for(price)
    return (price / tick).to_integral_value(rounding) * tick
