"""Positions, the account, assets and the clock through the REST API."""

from datetime import datetime
from decimal import Decimal

import httpx
import pytest

from tests.unit.services.gateway import alpaca_models
from tests.unit.services.gateway.desk import START_NS, Desk
from tradewind.domain.market.universe import default_universe


async def test_a_flat_account_shows_its_cash_and_buying_power(desk: Desk, client: httpx.AsyncClient) -> None:
    account = (await client.get("/v2/account")).json()
    assert (account["cash"], account["equity"], account["portfolio_value"]) == ("100000", "100000", "100000")
    assert (account["buying_power"], account["non_marginable_buying_power"]) == ("200000", "100000")
    assert (account["multiplier"], account["shorting_enabled"], account["status"]) == ("2", True, "ACTIVE")
    assert alpaca_models.TradeAccount(**account).account_number == "PA000001"
    assert (await client.get("/v2/positions")).json() == []


async def test_a_position_is_valued_at_the_last_trade(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.hold("AAPL", "10", "190")
    await desk.set_prices({"AAPL": Decimal(209)})
    (position,) = (await client.get("/v2/positions")).json()
    assert position["symbol"] == "AAPL"
    assert (position["qty"], position["qty_available"], position["side"]) == ("10", "10", "long")
    assert (position["avg_entry_price"], position["cost_basis"]) == ("190", "1900")
    assert (position["current_price"], position["market_value"]) == ("209", "2090")
    assert (position["unrealized_pl"], position["unrealized_plpc"]) == ("190", "0.1")
    assert alpaca_models.Position(**position).exchange == "NASDAQ"
    account = (await client.get("/v2/account")).json()
    assert (account["equity"], account["long_market_value"], account["short_market_value"]) == (
        "100190",
        "2090",
        "0",
    )
    assert account["initial_margin"] == "1045"
    assert account["buying_power"] == "198290"  # (98100 + 2090 - 1045) x 2


@pytest.mark.parametrize("name", ["BTCUSD", "BTC/USD", "BTC%2FUSD"])
async def test_crypto_positions_go_by_every_spelling(
    desk: Desk, client: httpx.AsyncClient, name: str
) -> None:
    await desk.hold("BTC/USD", "0.5", "60000")
    position = (await client.get(f"/v2/positions/{name}")).json()
    assert (position["symbol"], position["exchange"]) == ("BTCUSD", "CRYPTO")


async def test_no_position_is_a_404(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v2/positions/AAPL")
    assert (answer.status_code, answer.json()["message"]) == (404, "position does not exist")
    closing = await client.delete("/v2/positions/AAPL")
    assert (closing.status_code, closing.json()["code"]) == (404, 40410000)
    unknown = await client.get("/v2/positions/NOPE")
    assert (unknown.status_code, unknown.json()["message"]) == (404, "symbol not found: NOPE")


@pytest.mark.parametrize(
    ("query", "qty"), [("", "10"), ("?qty=4", "4"), ("?percentage=25", "2.5"), ("?percentage=33.3", "3.33")]
)
async def test_a_position_is_closed_wholly_or_in_part(
    desk: Desk, client: httpx.AsyncClient, query: str, qty: str
) -> None:
    await desk.hold("AAPL", "10", "200")
    answer = await client.delete(f"/v2/positions/AAPL{query}")
    assert answer.status_code == 200, answer.text
    order = answer.json()
    assert (order["qty"], order["side"], order["type"]) == (qty, "sell", "market")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("qty=0", "qty"),
        ("qty=-1", "qty"),
        ("qty=x", "qty"),
        ("percentage=101", "percentage"),
        ("percentage=0", "percentage"),
        ("qty=1&percentage=1", "percentage"),
    ],
)
async def test_nonsense_shares_are_refused(
    desk: Desk, client: httpx.AsyncClient, query: str, field: str
) -> None:
    await desk.hold("AAPL", "10", "200")
    answer = await client.delete(f"/v2/positions/AAPL?{query}")
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_closing_everything_reports_each_position(desk: Desk, client: httpx.AsyncClient) -> None:
    assert (await client.delete("/v2/positions")).json() == []
    await desk.hold("AAPL", "10", "200")
    await desk.hold("MSFT", "5", "400")
    selling = {"symbol": "AAPL", "qty": "10", "side": "sell", "type": "limit", "limit_price": "300"}
    held_up = await client.post("/v2/orders", json=selling | {"time_in_force": "gtc"})
    assert held_up.status_code == 200, held_up.text
    answer = await client.delete("/v2/positions")
    assert answer.status_code == 207
    apple, microsoft = answer.json()
    assert (apple["symbol"], apple["status"], apple["body"]["code"]) == ("AAPL", 403, 40310000)
    assert apple["body"]["held_for_orders"] == "10"
    assert (microsoft["symbol"], microsoft["status"]) == ("MSFT", 200)
    assert microsoft["body"]["side"] == "sell"


async def test_closing_everything_can_cancel_the_orders_first(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.hold("AAPL", "10", "200")
    selling = {"symbol": "AAPL", "qty": "10", "side": "sell", "type": "limit", "limit_price": "300"}
    waiting = (await client.post("/v2/orders", json=selling | {"time_in_force": "gtc"})).json()
    desk.cancels_at_once = True
    answer = await client.delete("/v2/positions?cancel_orders=True")
    assert [item["status"] for item in answer.json()] == [200]
    assert desk.core.state.orders[waiting["id"]].status == "canceled"


async def test_assets_are_listed_by_class(client: httpx.AsyncClient) -> None:
    equities = (await client.get("/v2/assets")).json()
    assert {asset["symbol"] for asset in equities} >= {"AAPL", "SPY"}
    assert all(alpaca_models.Asset(**asset).tradable for asset in equities)
    crypto = (await client.get("/v2/assets?asset_class=crypto&status=active")).json()
    assert {asset["symbol"] for asset in crypto} == {"BTC/USD", "ETH/USD", "SOL/USD"}
    assert crypto[0]["min_trade_increment"] == "0.000000001"
    assert (await client.get("/v2/assets?status=inactive")).json() == []
    assert (await client.get("/v2/assets?exchange=NYSE")).json()[0]["symbol"] == "JPM"


@pytest.mark.parametrize("name", ["AAPL", "BTCUSD", "BTC%2FUSD"])
async def test_an_asset_is_found_by_symbol_and_id(client: httpx.AsyncClient, name: str) -> None:
    asset = (await client.get(f"/v2/assets/{name}")).json()
    assert (await client.get(f"/v2/assets/{asset['id']}")).json() == asset
    answer = await client.get("/v2/assets/NOPE")
    assert (answer.status_code, answer.json()["message"]) == (404, "asset not found for NOPE")


async def test_the_clock_is_new_yorks(desk: Desk, client: httpx.AsyncClient) -> None:
    desk.clock.ns = START_NS
    clock = (await client.get("/v2/clock")).json()
    assert clock["timestamp"] == "2023-11-14T17:13:20-05:00"
    assert clock["is_open"] is True
    assert datetime.fromisoformat(clock["next_close"]) > datetime.fromisoformat(clock["timestamp"])
    assert alpaca_models.Clock(**clock).is_open


async def test_the_documentation_needs_nothing_from_outside(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "://" not in page.text.split("<script>")[0]
    description = (await client.get("/docs/openapi.json")).json()
    assert "/v2/orders" in description["paths"]
    assert set(description["components"]["securitySchemes"]) == {"key_id", "secret_key", "bearer", "basic"}
    body = description["paths"]["/v2/orders"]["post"]["requestBody"]["content"]["application/json"]
    assert set(body["schema"]["required"]) == {"symbol", "side", "time_in_force"}


def test_the_default_universe_is_the_same_everywhere() -> None:
    universe = {item.symbol: item for item in default_universe()}
    assert len(universe) == 12
    assert universe["AAPL"].asset_id == "2af3c452-c9aa-512c-b11f-2fa5050b99d0"
    assert universe["BTC/USD"].max_fee_rate == Decimal("0.0025")
    assert not universe["BTC/USD"].marginable
