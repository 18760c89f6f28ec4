"""Alpaca's wire formats, field by field."""

import struct
import uuid
from datetime import datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.services.websocket.makers import AAPL, ALICE, NOON_NS, bar, executed, make_order, quote, trade
from tradewind.adapters.alpaca.market_data_format import JsonMarketDataFormat, MsgpackMarketDataFormat
from tradewind.adapters.alpaca.order_format import alpaca_order
from tradewind.adapters.alpaca.timestamps import NS_PER_S, msgpack_timestamp, rfc3339
from tradewind.adapters.alpaca.trade_update_format import encode_trade_update, execution_uuid
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.ports.stream_formats import MalformedMessage, TradeUpdate


def test_timestamps_are_exact_and_short() -> None:
    assert rfc3339(NOON_NS) == "2023-11-14T22:13:20.123456789Z"
    assert rfc3339(1_700_000_000 * NS_PER_S) == "2023-11-14T22:13:20Z"
    assert rfc3339(1_700_000_000 * NS_PER_S + 500_000_000) == "2023-11-14T22:13:20.5Z"


@given(st.integers(0, 4_000_000_000 * NS_PER_S))
def test_timestamps_read_back_as_the_same_moment(ts_ns: int) -> None:
    read = datetime.fromisoformat(rfc3339(ts_ns))
    assert int(read.timestamp()) == ts_ns // NS_PER_S
    assert read.microsecond == ts_ns % NS_PER_S // 1_000
    extension = msgpack_timestamp(ts_ns)
    assert extension.code == -1
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(extension), type=datetime) is not None
    packed = struct.unpack(">Q", extension.data)[0]
    assert (packed >> 34, packed & ((1 << 34) - 1)) == (ts_ns % NS_PER_S, ts_ns // NS_PER_S)


def test_moments_outside_the_short_form_take_the_long_one() -> None:
    assert msgpack_timestamp(-1).data == struct.pack(">Iq", 999_999_999, -1)


def test_an_order_has_every_field_and_plain_decimals() -> None:
    order = make_order(
        filled_qty=Decimal("4.00"), filled_value=Decimal("761.000"), status=OrderStatus.PARTIALLY_FILLED
    )
    encoded = msgspec.to_builtins(alpaca_order(order, AAPL))
    assert encoded["qty"] == "10"
    assert encoded["limit_price"] == "190.5"
    assert encoded["filled_qty"] == "4"
    assert encoded["filled_avg_price"] == "190.25"
    assert encoded["asset_id"] == AAPL.asset_id
    assert encoded["type"] == encoded["order_type"] == "limit"
    assert encoded["submitted_at"] == rfc3339(NOON_NS)
    for never_set in ("notional", "stop_price", "filled_at", "replaced_by", "trail_price", "hwm", "legs"):
        assert encoded[never_set] is None


def test_an_order_that_filled_nothing_shows_zero_and_no_average() -> None:
    encoded = alpaca_order(make_order(qty=None, notional=Decimal("100.00")), AAPL)
    assert (encoded.filled_qty, encoded.filled_avg_price) == ("0", None)
    assert (encoded.qty, encoded.notional) == (None, "100")


def test_a_fill_says_what_was_executed() -> None:
    update = TradeUpdate(
        name="fill", account_id=ALICE, order=make_order(), ts_ns=NOON_NS, execution=executed()
    )
    message = msgspec.json.decode(encode_trade_update(update, AAPL))
    assert message["stream"] == "trade_updates"
    data = message["data"]
    assert (data["event"], data["timestamp"]) == ("fill", rfc3339(NOON_NS))
    assert (data["price"], data["qty"], data["position_qty"]) == ("190.25", "4", "-6")
    assert data["execution_id"] == execution_uuid("venue-7")
    assert data["order"]["limit_price"] == "190.5"


def test_what_is_not_a_fill_says_nothing_of_executions() -> None:
    update = TradeUpdate(name="new", account_id=ALICE, order=make_order(), ts_ns=NOON_NS)
    data = msgspec.json.decode(encode_trade_update(update, AAPL))["data"]
    assert set(data) == {"event", "timestamp", "order"}


def test_execution_ids_are_uuids_and_stay_the_same() -> None:
    own = str(uuid.uuid4())
    assert execution_uuid(own) == own
    assert uuid.UUID(execution_uuid("venue-7")).version == 5
    assert execution_uuid("venue-7") == execution_uuid("venue-7") != execution_uuid("venue-8")


def test_market_events_have_alpacas_letters() -> None:
    codec = JsonMarketDataFormat()
    stamp = rfc3339(NOON_NS)
    events = msgspec.json.decode(
        codec.join([codec.encode_event(event) for event in (trade(), quote(), bar())])
    )
    assert events == [
        {"T": "t", "S": "AAPL", "i": 1, "p": 190.11, "s": 100, "t": stamp},
        {"T": "q", "S": "AAPL", "bp": 190.1, "bs": 200, "ap": 190.12, "as": 1.5, "t": stamp},
        {
            "T": "b", "S": "AAPL", "o": 190.0, "h": 190.5, "l": 189.5, "c": 190.25, "v": 1000, "n": 12,
            "vw": 190.123, "t": stamp,
        },
    ]  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 15, 16, 70_000])
def test_any_number_of_msgpack_events_make_one_array(count: int) -> None:
    codec = MsgpackMarketDataFormat()
    encoded = codec.encode_event(trade())
    assert len(msgspec.msgpack.decode(codec.join([encoded] * count))) == count


@pytest.mark.parametrize("codec", [JsonMarketDataFormat(), MsgpackMarketDataFormat()])
@pytest.mark.parametrize("message", [b"", b"\xff\xfe", b'{"a": ', b'["x"]', b'{"a": "\xff"}'])
def test_malformed_messages_are_named_so(codec: JsonMarketDataFormat, message: bytes) -> None:
    with pytest.raises(MalformedMessage):
        codec.decode(message, dict[str, str])
