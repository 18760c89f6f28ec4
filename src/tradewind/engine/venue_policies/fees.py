"""What the simulated venue charges for an execution."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

import msgspec

from tradewind.domain.decimals import ZERO
from tradewind.domain.market.instrument import AssetClass, Instrument


class FeePolicy(Protocol):
    """Prices the venue's service. The venue rounds what comes out up to the finest unit of the books."""

    def fee_of(self, instrument: Instrument, traded_value: Decimal) -> Decimal:
        """The fee, in the instrument's currency, of an execution worth `traded_value`; a rebate is negative."""
        ...


class NoFee(msgspec.Struct, frozen=True):
    """Trading is free."""

    def fee_of(self, instrument: Instrument, traded_value: Decimal) -> Decimal:
        """Zero."""
        return ZERO


class PercentageFee(msgspec.Struct, frozen=True):
    """A fixed fraction of the traded value: a `rate` of 0.0025 is 0.25 %; negative is a rebate."""

    rate: Decimal

    def fee_of(self, instrument: Instrument, traded_value: Decimal) -> Decimal:
        """`rate` times `traded_value`, not rounded."""
        return traded_value * self.rate


class FeeByAssetClass(msgspec.Struct, frozen=True):
    """Each asset class has a policy of its own; classes that are not named trade free."""

    policies: Mapping[AssetClass, FeePolicy]

    def fee_of(self, instrument: Instrument, traded_value: Decimal) -> Decimal:
        """What the instrument's class charges."""
        policy = self.policies.get(instrument.asset_class)
        return ZERO if policy is None else policy.fee_of(instrument, traded_value)
