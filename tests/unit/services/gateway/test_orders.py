"""Orders through the REST API, as a trader sends them."""

import uuid
from typing import Any

import httpx
import pytest

from tests.unit.services.gateway.alpaca_models import Order as AlpacaSdkOrder
from tests.unit.services.gateway.desk import Desk
from tradewind.adapters.memory.credentials import MemoryCredentialStore
from tradewind.ports.credentials import KeyPair
from tradewind.ports.errors import BusUnavailable, Overloaded, ReplyOverdue
from tradewind.ports.messages import CommandEnvelope
from tradewind.services.gateway.app import create_framework_app
from tradewind.services.gateway.dependencies import GatewayParts
from tradewind.services.gateway.front import GatewayFront
from tradewind.services.gateway.orders import fast_path

MARKET_BUY: dict[str, Any] = {
    "symbol": "AAPL",
    "qty": "3",
    "side": "buy",
    "type": "market",
    "time_in_force": "day",
}
LIMIT_BUY = MARKET_BUY | {"type": "limit", "limit_price": "190.25", "time_in_force": "gtc"}


async def submit(client: httpx.AsyncClient, **terms: Any) -> dict[str, Any]:
    answer = await client.post("/v2/orders", json=MARKET_BUY | terms)
    assert answer.status_code == 200, answer.text
    order: dict[str, Any] = answer.json()
    return order


async def test_market_order_is_taken_and_shown_as_alpaca_shows_it(client: httpx.AsyncClient) -> None:
    order = await submit(client, client_order_id="my-first")
    assert order["client_order_id"] == "my-first"
    assert order["qty"] == "3"
    assert order["filled_qty"] == "0"
    assert order["status"] == "pending_new"
    assert (order["type"], order["order_type"], order["side"]) == ("market", "market", "buy")
    assert order["notional"] is None
    assert AlpacaSdkOrder(**order).symbol == "AAPL"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("1.0", "1"), ("12.3400", "12.34"), ('"2.50"', "2.5"), ("1e1", "10"), ("0.000000001", "0.000000001")],
)
async def test_quantities_are_read_exactly_from_numbers_and_strings(
    client: httpx.AsyncClient, text: str, shown: str
) -> None:
    body = f'{{"symbol":"AAPL","qty":{text},"side":"buy","type":"market","time_in_force":"day"}}'
    answer = await client.post("/v2/orders", content=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["qty"] == shown


async def test_nulls_and_neutral_alpaca_fields_count_as_absent(client: httpx.AsyncClient) -> None:
    order = await submit(
        client,
        notional=None,
        limit_price=None,
        order_class="simple",
        take_profit=None,
        legs=[],
        trail_price=None,
        position_intent="buy_to_open",
        advanced_instructions={},
        extended_hours=None,
    )
    assert order["qty"] == "3"


@pytest.mark.parametrize("name", ["BTC/USD", "BTCUSD"])
async def test_crypto_pairs_go_by_either_spelling(client: httpx.AsyncClient, name: str) -> None:
    order = await submit(client, symbol=name, qty="0.01", time_in_force="gtc")
    assert (order["symbol"], order["asset_class"]) == ("BTC/USD", "crypto")
    by_asset_id = await submit(client, symbol=order["asset_id"], qty="0.01", time_in_force="gtc")
    assert by_asset_id["symbol"] == "BTC/USD"


async def test_a_retry_with_the_same_client_order_id_gets_the_same_order(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    first = await submit(client, client_order_id="once")
    again = await submit(client, client_order_id="once")
    assert again["id"] == first["id"]
    assert len(desk.core.state.orders) == 1
    other = await client.post("/v2/orders", json=MARKET_BUY | {"client_order_id": "once", "qty": "4"})
    assert other.status_code == 422
    assert other.json()["message"] == "client_order_id must be unique"


async def test_an_order_beyond_the_buying_power_is_refused_with_the_numbers(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/v2/orders", json=MARKET_BUY | {"qty": "2000"})
    assert answer.status_code == 403
    body = answer.json()
    assert body["code"] == 40310000
    assert body["message"] == "insufficient buying power"
    assert body["buying_power"] == "200000"
    assert body["reject_reason"] == "insufficient_buying_power"


async def test_fast_path_and_framework_give_the_same_answers(desk: Desk) -> None:
    framework = create_framework_app(GatewayParts(desk.dependencies()))
    slow_front = GatewayFront(framework, _NeverFast(), desk.ids, desk.clock)
    bodies: list[bytes] = [
        b'{"symbol":"AAPL","qty":"1","side":"buy","time_in_force":"day","client_order_id":"both"}',
        b'{"symbol":"NOPE","qty":"1","side":"buy","time_in_force":"day"}',
        b"{nonsense",
        b"\xff",
        b"x" * (64 * 1024 + 1),
    ]
    for body in bodies:
        async with desk.client() as fast, desk.client(_NotForTheFastPath(slow_front)) as slow:
            answers = [await http.post("/v2/orders", content=body) for http in (fast, slow)]
        assert answers[0].status_code == answers[1].status_code
        assert answers[0].json() == answers[1].json()
        assert all(answer.headers["content-type"] == "application/json" for answer in answers)
        assert all(answer.headers["x-request-id"] for answer in answers)


class _NeverFast(fast_path.OrderFastPath):
    def __init__(self) -> None:
        """Nothing is needed to answer nothing."""


class _NotForTheFastPath:
    """Sends a request past the fast path by a trailing slash, which the framework ignores."""

    def __init__(self, app: GatewayFront) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app({**scope, "path": scope["path"] + "/"}, receive, send)


async def test_orders_are_listed_newest_first_and_filtered(desk: Desk, client: httpx.AsyncClient) -> None:
    bought = await submit(client)
    desk.fill(bought["id"], "3", "200")
    waiting = await submit(client, **LIMIT_BUY)
    pair = await submit(client, symbol="BTC/USD", qty="0.1", time_in_force="gtc")
    listed = (await client.get("/v2/orders")).json()
    assert [order["id"] for order in listed] == [pair["id"], waiting["id"]]
    for query, expected in (
        ("status=all&direction=asc", [bought, waiting, pair]),
        ("status=closed", [bought]),
        ("status=all&symbols=BTCUSD,NOPE", [pair]),
        ("status=all&symbols=NOPE", []),
        ("status=all&asset_class=us_equity&limit=1", [waiting]),
        ("status=all&side=sell", []),
        (f"status=all&after={bought['submitted_at']}", [pair, waiting]),
        (f"status=all&until={pair['submitted_at'].replace('Z', '%2B00:00')}", [waiting, bought]),
        (f"status=all&after_order_id={waiting['id']}", [pair]),
        ("status=all&nested=True&unknown=1&limit=1", [pair]),
    ):
        answer = await client.get(f"/v2/orders?{query}")
        assert answer.status_code == 200, answer.text
        assert [order["id"] for order in answer.json()] == [order["id"] for order in expected], query


async def test_an_order_is_found_by_its_ids(client: httpx.AsyncClient) -> None:
    order = await submit(client, client_order_id="by-name")
    found = await client.get(f"/v2/orders/{order['id']}")
    assert found.json() == order
    without_dashes = await client.get(f"/v2/orders/{order['id'].replace('-', '')}")
    assert without_dashes.json() == order
    by_client_id = await client.get("/v2/orders:by_client_order_id", params={"client_order_id": "by-name"})
    assert by_client_id.json() == order
    absent = await client.get("/v2/orders:by_client_order_id", params={"client_order_id": "other"})
    assert (absent.status_code, absent.json()["code"]) == (404, 40410000)


async def test_replacing_gives_the_new_order(desk: Desk, client: httpx.AsyncClient) -> None:
    old = await submit(client, **LIMIT_BUY)
    desk.accept(old["id"])
    answer = await client.patch(
        f"/v2/orders/{old['id']}", json={"limit_price": 191.5, "qty": None, "client_order_id": "v2"}
    )
    assert answer.status_code == 200, answer.text
    new = answer.json()
    assert new["replaces"] == old["id"]
    assert (new["limit_price"], new["qty"], new["client_order_id"]) == ("191.5", "3", "v2")
    desk.replaced(old["id"], new["id"])
    old_now = (await client.get(f"/v2/orders/{old['id']}")).json()
    assert (old_now["status"], old_now["replaced_by"]) == ("replaced", new["id"])
    unchanged = await client.patch(f"/v2/orders/{new['id']}", json={"limit_price": "191.50"})
    assert (unchanged.status_code, unchanged.json()["message"]) == (403, "order parameters are not changed")


async def test_cancelling_answers_204_and_a_finished_order_cannot_be_cancelled(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    order = await submit(client, **LIMIT_BUY)
    desk.accept(order["id"])
    answer = await client.request("DELETE", f"/v2/orders/{order['id']}", headers={"content-type": ""})
    assert (answer.status_code, answer.content) == (204, b"")
    assert desk.core.state.orders[order["id"]].status == "pending_cancel"
    filled = await submit(client)
    desk.fill(filled["id"], "3", "200")
    late = await client.delete(f"/v2/orders/{filled['id']}")
    assert late.status_code == 422
    assert late.json()["code"] == 42210000
    assert late.json()["message"] == 'order is already in "filled" state'
    assert (await client.delete(f"/v2/orders/{uuid.uuid4()}")).status_code == 404
    assert (await client.delete("/v2/orders/not-an-id")).status_code == 422


async def test_cancelling_everything_lists_what_is_being_cancelled(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    assert (await client.delete("/v2/orders")).json() == []
    ids = {(await submit(client, **LIMIT_BUY))["id"] for _ in range(3)}
    answer = await client.delete("/v2/orders")
    assert answer.status_code == 207
    assert {item["id"] for item in answer.json()} == ids
    assert {item["status"] for item in answer.json()} == {200}


def overdue(_envelope: CommandEnvelope) -> None:
    raise ReplyOverdue("no reply")


async def test_an_order_whose_reply_was_lost_is_found_in_the_books(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    desk.before_reply = overdue
    order = await submit(client, client_order_id="lost-reply")
    assert order["client_order_id"] == "lost-reply"
    assert order["id"] in desk.core.state.orders


async def test_an_order_that_surely_never_happened_is_said_not_to_have(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    desk.before_command = overdue
    answer = await client.post("/v2/orders", json=MARKET_BUY)
    assert answer.status_code == 503
    assert answer.json()["code"] == 50310000
    assert "nothing happened" in answer.json()["message"]
    assert not desk.core.state.orders


async def test_a_lost_command_does_not_pass_for_an_older_order_of_the_same_name(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    await submit(client, client_order_id="taken")
    desk.before_command = overdue
    answer = await client.post("/v2/orders", json=MARKET_BUY | {"client_order_id": "taken", "qty": "9"})
    assert (answer.status_code, answer.json()["message"]) == (422, "client_order_id must be unique")


async def test_when_nobody_can_tell_the_answer_says_so(desk: Desk, client: httpx.AsyncClient) -> None:
    await submit(client)  # the gateway knows the key and the instruments

    def lose_everything(_envelope: CommandEnvelope) -> None:
        desk.queries.is_available = False
        raise ReplyOverdue("no reply")

    desk.before_command = lose_everything
    answer = await client.post("/v2/orders", json=MARKET_BUY | {"client_order_id": "who-knows"})
    assert (answer.status_code, answer.json()["code"]) == (503, 50310001)
    assert "not known" in answer.json()["message"]
    assert "who-knows" in answer.json()["message"]
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("failure", [BusUnavailable("away"), Overloaded("full")])
async def test_without_the_bus_nothing_happens_and_503_says_so(
    desk: Desk, client: httpx.AsyncClient, failure: Exception
) -> None:
    def fail(_envelope: CommandEnvelope) -> None:
        raise failure

    desk.before_command = fail
    for answer in (
        await client.post("/v2/orders", json=MARKET_BUY),
        await client.delete(f"/v2/orders/{uuid.uuid4()}"),
    ):
        assert answer.status_code == 503
        assert "nothing happened" in answer.json()["message"]


async def test_a_cancellation_whose_reply_was_lost_is_looked_up(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    order = await submit(client, **LIMIT_BUY)
    desk.accept(order["id"])
    desk.before_command = overdue
    assert (await client.delete(f"/v2/orders/{order['id']}")).status_code == 503
    desk.before_command = lambda _envelope: None
    desk.before_reply = overdue
    assert (await client.delete(f"/v2/orders/{order['id']}")).status_code == 204


async def test_one_account_never_sees_another_ones_orders(desk: Desk, client: httpx.AsyncClient) -> None:
    order = await submit(client)
    stranger = KeyPair("TWSTRANGER", "s" * 43)
    await desk.add_key(stranger, desk.ids.new_id())
    headers = {"APCA-API-KEY-ID": stranger.key_id, "APCA-API-SECRET-KEY": stranger.secret}
    for method in ("GET", "DELETE"):
        answer = await client.request(method, f"/v2/orders/{order['id']}", headers=headers)
        assert answer.status_code == 404
    assert (await client.get("/v2/orders?status=all", headers=headers)).json() == []


async def test_request_ids_travel_with_the_command(desk: Desk, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v2/orders", json=MARKET_BUY, headers={"X-Request-Id": "trace-7"})
    assert answer.headers["x-request-id"] == "trace-7"
    assert desk.commands[-1].correlation_id == "trace-7"
    made_up = await client.post("/v2/orders", json=MARKET_BUY, headers={"X-Request-Id": "bad id\t!"})
    assert uuid.UUID(made_up.headers["x-request-id"]).version == 7
    assert desk.commands[-1].deadline_ns - desk.commands[-1].received_ns == 5_000_000_000


async def test_duplicate_slashes_are_collapsed(client: httpx.AsyncClient) -> None:
    assert (await client.post("http://desk//v2//orders", json=MARKET_BUY)).status_code == 200
    assert (await client.get("http://desk//v2/account")).status_code == 200


async def test_without_the_database_a_known_trader_may_still_submit_but_not_list(
    desk: Desk, client: httpx.AsyncClient
) -> None:
    assert isinstance(desk.credentials, MemoryCredentialStore)
    await submit(client)
    desk.queries.is_available = False
    assert (await client.post("/v2/orders", json=MARKET_BUY)).status_code == 200
    listing = await client.get("/v2/orders")
    assert (listing.status_code, listing.json()["code"]) == (503, 50310000)
    assert listing.headers["retry-after"] == "1"
