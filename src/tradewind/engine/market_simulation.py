"""A simulated market: quotes and trades of several instruments, the same for the same seed and start.

Every price is a geometric random walk whose volatility reverts to its mean. Time is divided into intervals of one
quote a symbol; each interval draws a fixed number of random values, so what comes out does not depend on how the
caller cuts time into steps.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.instrument import AssetClass, Instrument
from tradewind.domain.market.ticks import Quote, Trade
from tradewind.domain.market.timeframe import NS_PER_S
from tradewind.engine.market_profiles import MarketProfile, profile_of

TRADED_SECONDS_A_YEAR = {AssetClass.EQUITY: 252 * 6.5 * 3_600.0, AssetClass.CRYPTO: 365 * 86_400.0}
"""Seconds over which a year's volatility is spread."""

VOLATILITY_REVERSION_PER_S = 1 / 900
"""Speed at which log volatility returns to its mean: a shock halves in about ten minutes."""
VOLATILITY_OF_VOLATILITY = 0.02
"""Standard deviation of the shocks to log volatility, per square root of a second."""
LOG_VOLATILITY_RANGE = 1.5
"""Log volatility stays within this distance of its mean."""
LOG_PRICE_RANGE = 3.0
"""A price stays within a factor of e^3 (about twenty) of the profile's reference price."""
SIZE_LOG_DEVIATION = 0.8
"""Spread of the log-normal sizes."""

_UNIFORMS = 5


class MarketSimulation:
    """Produces the events of a market from `start_ns` on.

    `start_prices` continue a market that ran before; symbols without one start at their profile's reference price.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        seed: int,
        quotes_per_s: float,
        start_ns: int,
        start_prices: Mapping[Symbol, Decimal],
    ) -> None:
        if not quotes_per_s > 0:
            raise ValueError(f"quotes_per_s must be above 0, not {quotes_per_s}")
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._interval_ns = max(1, round(NS_PER_S / quotes_per_s))
        self._next_interval_ns = start_ns
        # Milliseconds leave room for trade ids to go on rising over a restart.
        first_trade_id = start_ns // 1_000_000
        self._markets = [
            _SimulatedMarket(instrument, profile_of(instrument), start_prices, first_trade_id)
            for instrument in instruments
        ]
        self._pending: deque[Quote | Trade] = deque()

    def step(self, until_ns: int) -> list[Quote | Trade]:
        """The events up to and including `until_ns` that no earlier step returned, in the order of their time."""
        while self._next_interval_ns <= until_ns:
            self._pending.extend(self._interval())
        events: list[Quote | Trade] = []
        while self._pending and self._pending[0].ts_ns <= until_ns:
            events.append(self._pending.popleft())
        return events

    def skip_to(self, now_ns: int) -> None:
        """Go on at `now_ns` with the prices as they are: the time in between has no events."""
        self._pending.clear()
        self._next_interval_ns = max(self._next_interval_ns, now_ns)

    def _interval(self) -> list[Quote | Trade]:
        start_ns = self._next_interval_ns
        self._next_interval_ns += self._interval_ns
        normals = self._random.standard_normal((len(self._markets), 4)).tolist()
        uniforms = self._random.random((len(self._markets), _UNIFORMS)).tolist()
        events: list[Quote | Trade] = []
        for market, normal, uniform in zip(self._markets, normals, uniforms, strict=True):
            quote_ns = start_ns + int(uniform[0] * self._interval_ns * 0.5)
            trade_ns = quote_ns + 1 + int(uniform[1] * self._interval_ns * 0.4)
            market.move(self._interval_ns / NS_PER_S, normal[0], normal[1])
            quote = market.quote(quote_ns, normal[2], normal[3])
            events.append(quote)
            if uniform[2] < market.profile.trade_probability:
                events.append(market.trade(quote, trade_ns, uniform[3], uniform[4]))
        events.sort(key=lambda event: (event.ts_ns, event.symbol))
        return events


class _SimulatedMarket:
    """The state of one instrument: its log price and log volatility (relative to the mean)."""

    def __init__(
        self,
        instrument: Instrument,
        profile: MarketProfile,
        start_prices: Mapping[Symbol, Decimal],
        first_trade_id: int,
    ) -> None:
        self.instrument = instrument
        self.profile = profile
        self._centre = math.log(profile.reference_price)
        self._log_price = math.log(float(start_prices.get(instrument.symbol, profile.reference_price)))
        self._log_volatility = 0.0
        seconds = TRADED_SECONDS_A_YEAR[instrument.asset_class]
        self._volatility_per_root_s = profile.annual_volatility / math.sqrt(seconds)
        self._trade_id = first_trade_id

    def move(self, dt_s: float, price_shock: float, volatility_shock: float) -> None:
        """One step of `dt_s` seconds, driven by two standard normal shocks."""
        pull = -VOLATILITY_REVERSION_PER_S * self._log_volatility * dt_s
        shock = VOLATILITY_OF_VOLATILITY * math.sqrt(dt_s) * volatility_shock
        self._log_volatility = _clamped(self._log_volatility + pull + shock, 0.0, LOG_VOLATILITY_RANGE)
        deviation = self._volatility_per_root_s * math.exp(self._log_volatility) * math.sqrt(dt_s)
        # Less half the variance, so that the price itself has no drift.
        change = deviation * price_shock - deviation * deviation / 2
        self._log_price = _clamped(self._log_price + change, self._centre, LOG_PRICE_RANGE)

    def quote(self, ts_ns: int, bid_shock: float, ask_shock: float) -> Quote:
        price = math.exp(self._log_price)
        half_spread = price * self.profile.spread_bps / 20_000
        # Each side on the grid at its own price: an equity's tick changes at 1.00.
        bid = Decimal(price - half_spread)
        bid_tick = self.instrument.tick_for(bid)
        bid_price = max(bid_tick, _on_grid(bid, bid_tick, ROUND_FLOOR))
        ask = Decimal(price + half_spread)
        ask_price = _on_grid(ask, self.instrument.tick_for(ask), ROUND_CEILING)
        ask_price = max(ask_price, bid_price + self.instrument.tick_for(bid_price))
        return Quote(
            symbol=self.instrument.symbol,
            bid_price=bid_price,
            bid_size=self._size(math.exp(SIZE_LOG_DEVIATION * bid_shock)),
            ask_price=ask_price,
            ask_size=self._size(math.exp(SIZE_LOG_DEVIATION * ask_shock)),
            ts_ns=ts_ns,
        )

    def trade(self, quote: Quote, ts_ns: int, side: float, share: float) -> Trade:
        """A trade at the bid or the ask of `quote`, for a part of the size shown there."""
        at_ask = side < 0.5
        shown = quote.ask_size if at_ask else quote.bid_size
        step = self.profile.size_step
        # The square makes small trades common and large ones rare, as in real markets.
        size = max(step, _on_grid(float(shown) * share * share, step, ROUND_FLOOR))
        self._trade_id += 1
        return Trade(
            symbol=quote.symbol,
            price=quote.ask_price if at_ask else quote.bid_price,
            size=size,
            ts_ns=ts_ns,
            trade_id=self._trade_id,
        )

    def _size(self, factor: float) -> Decimal:
        step = self.profile.size_step
        return max(step, _on_grid(self.profile.typical_size * factor, step, ROUND_FLOOR))


def _clamped(value: float, centre: float, reach: float) -> float:
    return min(max(value, centre - reach), centre + reach)


def _on_grid(value: float | Decimal, step: Decimal, rounding: str) -> Decimal:
    return (Decimal(value) / step).to_integral_value(rounding) * step
