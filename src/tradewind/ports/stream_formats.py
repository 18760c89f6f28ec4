"""How the messages of the streams look on the wire: what the WebSocket service needs, without naming whose format."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from tradewind.domain.events import OrderExecuted
from tradewind.domain.identifiers import AccountId
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.market.ticks import MarketEvent
from tradewind.domain.orders.order import Order

T = TypeVar("T")


class MalformedMessage(ValueError):
    """A client's message cannot be read, or is not of the kind that it should be."""


class TradeUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of news about one order of an account: `name` is Alpaca's word for it (`fill`, `canceled`, …).

    `order` is the order after it, `execution` what was executed (for `fill` and `partial_fill` alone).
    """

    name: str
    account_id: AccountId
    order: Order
    ts_ns: int
    execution: OrderExecuted | None = None


class TradeUpdateFormat(Protocol):
    """Writes order updates."""

    def __call__(self, update: TradeUpdate, instrument: Instrument) -> bytes:
        """The whole message; `instrument` is the one that the order trades."""
        ...


class MarketDataFormat(Protocol):
    """Writes and reads the messages of a market-data stream in one codec."""

    @property
    def is_binary(self) -> bool:
        """Whether messages are bytes rather than text."""
        ...

    def encode_event(self, event: MarketEvent) -> bytes:
        """One event, to be joined with others."""
        ...

    def join(self, encoded_events: Sequence[bytes]) -> bytes:
        """One message of encoded events."""
        ...

    def encode_control(self, fields: Mapping[str, object]) -> bytes:
        """One message that is not data."""
        ...

    def decode(self, message: bytes, kind: type[T]) -> T:
        """A client's message; raises `MalformedMessage`."""
        ...
