"""What operators see of the gateway's requests."""

import httpx

from tradewind.operations.metrics import REGISTRY

SAMPLE = "tradewind_http_requests_total"


def count(route: str, status: str) -> float:
    return REGISTRY.get_sample_value(SAMPLE, {"route": route, "status": status}) or 0


async def test_requests_are_counted_by_route_and_status(client: httpx.AsyncClient) -> None:
    expected = {
        ("POST /v2/orders", "400"): 1,
        ("GET /v2/orders/{order_id}", "422"): 2,
        ("GET unmatched", "404"): 1,
        ("GET /v2/assets/{symbol}", "200"): 1,
    }
    before = {key: count(*key) for key in expected}
    await client.post("/v2/orders", content=b"nonsense")
    await client.get("/v2/orders/not-an-id")
    await client.get("/v2/orders/neither")
    await client.get("/v2/secret/path")
    await client.get("/v2/assets/AAPL")
    assert {key: count(*key) - before[key] for key in expected} == expected
