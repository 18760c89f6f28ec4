"""Messages of Alpaca's trading stream about orders."""

import uuid

import msgspec

from tradewind.adapters.alpaca.order_format import AlpacaOrder, alpaca_order
from tradewind.adapters.alpaca.timestamps import rfc3339
from tradewind.domain.decimals import format_decimal
from tradewind.domain.market.instrument import Instrument
from tradewind.ports.stream_formats import TradeUpdate

EXECUTION_NAMESPACE = uuid.UUID("6f9b0c1e-6d4c-5a53-9a0b-6a3f4d0c8a11")
"""Namespace of the UUIDs (version 5) that stand for venues' execution ids which are none: never change it."""

_CANONICAL_UUID_LENGTH = 36


class _Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    event: str
    timestamp: str
    order: AlpacaOrder
    execution_id: str | None = None
    price: str | None = None
    qty: str | None = None
    position_qty: str | None = None


class _Message(msgspec.Struct, frozen=True):
    stream: str
    data: _Data


_ENCODER = msgspec.json.Encoder()


def encode_trade_update(update: TradeUpdate, instrument: Instrument) -> bytes:
    """The JSON text of a `trade_updates` message; fills carry their own price, quantity and position."""
    timestamp = rfc3339(update.ts_ns)
    order = alpaca_order(update.order, instrument)
    execution = update.execution
    if execution is None:
        data = _Data(event=update.name, timestamp=timestamp, order=order)
    else:
        data = _Data(
            event=update.name,
            timestamp=timestamp,
            order=order,
            execution_id=execution_uuid(execution.execution_id),
            price=format_decimal(execution.price),
            qty=format_decimal(execution.qty),
            position_qty=format_decimal(execution.position_qty),
        )
    return _ENCODER.encode(_Message("trade_updates", data))


def execution_uuid(execution_id: str) -> str:
    """The venue's execution id when it is a UUID, else a UUID that always stands for it."""
    if len(execution_id) == _CANONICAL_UUID_LENGTH:
        try:
            return str(uuid.UUID(execution_id))
        except ValueError:
            pass
    return str(uuid.uuid5(EXECUTION_NAMESPACE, execution_id))
