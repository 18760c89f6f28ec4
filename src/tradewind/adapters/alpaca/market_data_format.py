"""Messages of Alpaca's market-data streams, as JSON text or as msgpack: arrays of objects told apart by `T`.

Prices are floating-point numbers, as Alpaca sends them; timestamps keep their nanoseconds.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from tradewind.adapters.alpaca.timestamps import msgpack_timestamp, rfc3339
from tradewind.domain.market.ticks import Bar, DailyBar, MarketEvent, Quote, Trade
from tradewind.ports.stream_formats import MalformedMessage

T = TypeVar("T")

_FIXARRAY_LENGTH_MAX = 15
_ARRAY_16_LENGTH_MAX = 0xFFFF

_JSON = msgspec.json.Encoder()
_MSGPACK = msgspec.msgpack.Encoder()


class JsonMarketDataFormat:
    """JSON text; timestamps are RFC 3339 text."""

    is_binary = False

    def encode_event(self, event: MarketEvent) -> bytes:
        """The event's object."""
        return _JSON.encode(_fields(event, rfc3339))

    def join(self, encoded_events: Sequence[bytes]) -> bytes:
        """The array of the objects."""
        return b"[" + b",".join(encoded_events) + b"]"

    def encode_control(self, fields: Mapping[str, object]) -> bytes:
        """An array of this one object."""
        return _JSON.encode([fields])

    def decode(self, message: bytes, kind: type[T]) -> T:
        """Read JSON; raises `MalformedMessage`."""
        try:
            return msgspec.json.decode(message, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedMessage(str(error)) from error


class MsgpackMarketDataFormat:
    """msgpack; timestamps are the timestamp extension."""

    is_binary = True

    def encode_event(self, event: MarketEvent) -> bytes:
        """The event's map."""
        return _MSGPACK.encode(_fields(event, msgpack_timestamp))

    def join(self, encoded_events: Sequence[bytes]) -> bytes:
        """The array of the maps."""
        return _array_header(len(encoded_events)) + b"".join(encoded_events)

    def encode_control(self, fields: Mapping[str, object]) -> bytes:
        """An array of this one map."""
        return _MSGPACK.encode([fields])

    def decode(self, message: bytes, kind: type[T]) -> T:
        """Read msgpack; raises `MalformedMessage`."""
        try:
            return msgspec.msgpack.decode(message, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedMessage(str(error)) from error


def _fields(event: MarketEvent, timestamp: Callable[[int], object]) -> dict[str, object]:
    match event:
        case Quote():
            return {
                "T": "q",
                "S": event.symbol,
                "bp": float(event.bid_price),
                "bs": _size(event.bid_size),
                "ap": float(event.ask_price),
                "as": _size(event.ask_size),
                "t": timestamp(event.ts_ns),
            }
        case Trade():
            return {
                "T": "t",
                "S": event.symbol,
                "i": event.trade_id,
                "p": float(event.price),
                "s": _size(event.size),
                "t": timestamp(event.ts_ns),
            }
        case Bar():
            return _bar_fields("b", event, timestamp)
        case DailyBar():
            return _bar_fields("d", event, timestamp)


def _bar_fields(kind: str, bar: Bar | DailyBar, timestamp: Callable[[int], object]) -> dict[str, object]:
    return {
        "T": kind,
        "S": bar.symbol,
        "o": float(bar.open),
        "h": float(bar.high),
        "l": float(bar.low),
        "c": float(bar.close),
        "v": _size(bar.volume),
        "n": bar.trade_count,
        "vw": float(bar.vwap),
        "t": timestamp(bar.start_ns),
    }


def _size(size: Decimal) -> int | float:
    whole = int(size)
    return whole if whole == size else float(size)


def _array_header(length: int) -> bytes:
    if length <= _FIXARRAY_LENGTH_MAX:
        return bytes((0x90 | length,))
    if length <= _ARRAY_16_LENGTH_MAX:
        return b"\xdc" + length.to_bytes(2, "big")
    return b"\xdd" + length.to_bytes(4, "big")
