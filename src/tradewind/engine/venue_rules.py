"""The terms of a simulated venue."""

from collections.abc import Mapping

import msgspec

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.calendar import SessionCalendar
from tradewind.domain.market.instrument import Instrument
from tradewind.engine.venue_policies.fees import FeePolicy, NoFee
from tradewind.engine.venue_policies.latency import LatencyPolicy, NoLatency
from tradewind.engine.venue_policies.slippage import NoSlippage, SlippagePolicy


class VenueRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated venue trades, and on which terms. Its quotes and trades of other symbols are ignored."""

    instruments: Mapping[Symbol, Instrument]
    calendar: SessionCalendar
    latency: LatencyPolicy = NoLatency()
    fees: FeePolicy = NoFee()
    slippage: SlippagePolicy = NoSlippage()
