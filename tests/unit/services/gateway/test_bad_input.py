"""Bad input: each gets the right 4xx, with a body that names field, value and what is allowed; the core hears nothing."""

from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers import run_apart
from tests.unit.services.gateway.desk import Desk
from tradewind.domain.reject_codes import RejectCode
from tradewind.services.gateway.errors import MAX_BODY_BYTES
from tradewind.services.gateway.reject_mapping import REJECT_ANSWERS

GOOD: dict[str, Any] = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
LIMIT = {"type": "limit", "limit_price": "100"}

BAD_FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({"colour": "red"}, "colour", "unknown field"),
    ({"qty": "-1"}, "qty", "positive"),
    ({"qty": "0"}, "qty", "positive"),
    ({"qty": "1.0000000001"}, "qty", "increment"),
    ({"qty": "1e16"}, "qty", "too large"),
    ({"qty": "1e999"}, "qty", "1e40"),
    ({"qty": "1e-999"}, "qty", "1e-40"),
    ({"qty": "1e999999999"}, "qty", "decimal number"),
    ({"qty": "NaN"}, "qty", "decimal number"),
    ({"qty": "Infinity"}, "qty", "decimal number"),
    ({"qty": "1_0"}, "qty", "decimal number"),
    ({"qty": " 1"}, "qty", "decimal number"),
    ({"qty": "\u0661"}, "qty", "decimal number"),
    ({"qty": ""}, "qty", "decimal number"),
    ({"qty": True}, "qty", "decimal number"),
    ({"qty": ["1"]}, "qty", "decimal number"),
    ({"qty": 10**60}, "qty", "1e40"),
    ({"qty": None}, "qty", "qty or notional is required"),
    ({"notional": "5"}, "qty", "qty or notional is required"),
    ({"qty": None, "notional": "5.001"}, "notional", "2 decimal places"),
    ({"qty": None, "notional": "0.5"}, "notional", "below the minimum"),
    ({"qty": None, "notional": "5", **LIMIT}, "notional", "market orders"),
    ({"side": "hold"}, "side", "buy, sell"),
    ({"side": None}, "side", "required"),
    ({"side": 1}, "side", "buy, sell"),
    ({"type": "iceberg"}, "type", "market, limit"),
    ({"type": "trailing_stop", "trail_percent": "1"}, "trail_percent", "not supported"),
    ({"type": "trailing_stop"}, "type", "trailing_stop is not supported"),
    ({"time_in_force": "opg"}, "time_in_force", "opg is not supported"),
    ({"time_in_force": "forever"}, "time_in_force", "day, gtc, ioc, fok"),
    ({"time_in_force": None}, "time_in_force", "required"),
    ({"qty": "1.5", "time_in_force": "gtc"}, "time_in_force", "DAY"),
    ({"type": "limit"}, "limit_price", "require limit price"),
    ({"limit_price": "100"}, "limit_price", "must not have"),
    (LIMIT | {"limit_price": "100.123"}, "limit_price", "sub-penny"),
    (LIMIT | {"limit_price": "-1"}, "limit_price", "positive"),
    (LIMIT | {"limit_price": {"price": 1}}, "limit_price", "decimal number"),
    ({"type": "stop"}, "stop_price", "require stop price"),
    ({"symbol": None}, "symbol", "required"),
    ({"symbol": ""}, "symbol", "1 to 36"),
    ({"symbol": "NOPE"}, "symbol", "not found"),
    ({"symbol": "AA\nPL"}, "symbol", "printable"),
    ({"symbol": 7}, "symbol", "printable"),
    ({"client_order_id": "x" * 129}, "client_order_id", "1 to 128"),
    ({"client_order_id": "tab\there"}, "client_order_id", "printable"),
    ({"client_order_id": "nul\0"}, "client_order_id", "printable"),
    ({"client_order_id": 1.5}, "client_order_id", "printable"),
    ({"extended_hours": "true"}, "extended_hours", "true or false"),
    ({"extended_hours": True}, "extended_hours", "limit orders"),
    (
        {"order_class": "bracket", "take_profit": {"limit_price": "1"}},
        "order_class",
        "bracket is not supported",
    ),
    ({"order_class": ["simple"]}, "order_class", "simple"),
    ({"take_profit": {"limit_price": "1"}}, "take_profit", "not supported"),
    ({"legs": [{}]}, "legs", "not supported"),
    ({"position_intent": "sell_to_open"}, "position_intent", "buy_to_open"),
    ({"advanced_instructions": {"algorithm": "DMA"}}, "advanced_instructions", "not supported"),
]


@pytest.fixture(scope="module")
def desk() -> Desk:
    """One desk for all: nothing here may change anything in it."""
    opened = Desk()
    run_apart(opened.open())
    return opened


@pytest.mark.parametrize(("change", "field", "words"), BAD_FIELDS)
async def test_a_bad_field_is_named(
    desk: Desk, client: httpx.AsyncClient, change: dict[str, Any], field: str, words: str
) -> None:
    answer = await client.post("/v2/orders", json=GOOD | change)
    assert answer.status_code == 422, answer.text
    body = answer.json()
    assert body["code"] in (40010001, 42210000)
    assert body["field"] == field
    assert body["allowed"]
    assert words in body["message"] + body["allowed"]
    assert len(answer.content) < 1_000
    assert not desk.commands


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"qty": NaN}',
        b'{"qty": Infinity}',
        b'"text"',
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"symbol": "\xff"}',
        b'{"symbol": "\\ud800"}',
        b"[" * 60_000,
        b'{"qty": 1' + b"0" * 5_000 + b"}",
    ],
)
async def test_what_is_not_a_json_object_is_a_400(desk: Desk, client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/v2/orders", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 40010000)
    assert "request body format is invalid" in answer.json()["message"]
    assert not desk.commands


async def test_a_huge_body_is_a_413_however_it_arrives(desk: Desk, client: httpx.AsyncClient) -> None:
    async def chunks() -> Any:
        for _ in range(70):
            yield b" " * 1_024

    for path in ("/v2/orders", "/v1/auth/login"):
        whole = await client.post(path, content=b" " * (MAX_BODY_BYTES + 1))
        assert (whole.status_code, whole.json()["code"]) == (413, 41310000)
        in_pieces = await client.post(path, content=chunks())
        assert in_pieces.status_code == 413
    assert not desk.commands


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=ten", "limit"),
        ("limit=²", "limit"),
        ("status=pending", "status"),
        ("direction=up", "direction"),
        ("side=hold", "side"),
        ("after=yesterday", "after"),
        ("until=2024-13-01", "until"),
        ("until=0001-01-01T00:00:00%2B23:59", "until"),
        ("nested=maybe", "nested"),
        ("asset_class=us_option", "asset_class"),
        ("after=2024-01-01&after_order_id=0192f0c1-0000-7000-8000-000000000000", "after_order_id"),
    ],
)
async def test_a_bad_query_is_named(client: httpx.AsyncClient, query: str, field: str) -> None:
    answer = await client.get(f"/v2/orders?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"side": "sell"}, "side"),
        ({"trail": "1"}, "trail"),
        ({"qty": "x"}, "qty"),
        ({"time_in_force": "x"}, "time_in_force"),
    ],
)
async def test_bad_replacements_are_named(
    client: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    answer = await client.patch("/v2/orders/0192f0c1-0000-7000-8000-000000000000", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_unknown_paths_and_methods_are_answered_in_the_same_form(client: httpx.AsyncClient) -> None:
    unknown = await client.get("/v2/nothing")
    assert (unknown.status_code, unknown.json()) == (
        404,
        {"code": 40410000, "message": "endpoint not found."},
    )
    wrong_method = await client.put("/v2/orders", json={})
    assert (wrong_method.status_code, wrong_method.json()["code"]) == (405, 40510000)


def test_every_refusal_has_an_answer() -> None:
    assert set(REJECT_ANSWERS) == set(RejectCode)
    assert all(400 <= status <= 503 and len(str(code)) == 8 for status, code in REJECT_ANSWERS.values())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_FIELDS = st.sampled_from(
    (
        "symbol",
        "qty",
        "notional",
        "side",
        "type",
        "time_in_force",
        "limit_price",
        "stop_price",
        "extended_hours",
        "client_order_id",
        "order_class",
        "take_profit",
        "position_intent",
        "other",
    )
)
_NUMBERS = st.decimals(allow_nan=False, allow_infinity=False).map(str)


@pytest.fixture(scope="module")
def busy_desk() -> Desk:
    """One desk for all the bodies: some of them are good orders."""
    opened = Desk()
    run_apart(opened.open())
    return opened


@settings(max_examples=300, deadline=None)
@given(changes=st.dictionaries(_FIELDS, _JSON | _NUMBERS, max_size=4))
async def test_no_body_is_ever_a_server_error(busy_desk: Desk, changes: dict[str, Any]) -> None:
    desk = busy_desk
    async with desk.client() as client:
        answer = await client.post("/v2/orders", json=GOOD | changes)
    assert answer.status_code in (200, 400, 403, 422), answer.text
    if answer.status_code != 200:
        assert isinstance(answer.json()["code"], int)
        assert answer.json()["message"]
