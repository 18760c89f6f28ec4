"""`tradewind top` against services that answer over real connections."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.cli import top
from tradewind.cli.top_readings import ORDERS_SAMPLE, ServiceReading, parse_metrics, rate
from tradewind.operations.http import OperationsMiddleware, RunningServer, operations_app, serve
from tradewind.operations.probes import Probes

ACCOUNT = {"equity": "100250.50", "last_equity": "100000", "cash": "80000", "buying_power": "160000"}
POSITION = {
    "symbol": "AAPL",
    "qty": "100",
    "avg_entry_price": "200",
    "current_price": "202.505",
    "market_value": "20250.50",
    "unrealized_pl": "250.50",
}
SERVICES = ("GATEWAY", "WEBSOCKET", "ANALYTICS", "STRATEGY", "ORDER")


async def gateway(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
    """Shows one account to the holder of its key."""
    if scope["type"] != "http":
        return
    headers = dict(scope["headers"])
    status, body = 401, {"code": 40110000, "message": "request is not authorized"}
    if headers.get(b"apca-api-secret-key") == b"open sesame":
        status, body = 200, {"/v2/account": ACCOUNT, "/v2/positions": [POSITION]}[scope["path"]]
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


@pytest.fixture
async def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, str]]:
    """A running gateway and order service; the other three are down."""
    monkeypatch.setattr(top, "INTERVAL_S", 0.05)
    running: dict[str, RunningServer] = {
        "GATEWAY": await serve(OperationsMiddleware(gateway, Probes("api-gateway", "0")), "127.0.0.1", 0),
        "ORDER": await serve(operations_app(Probes("order-service", "0")), "127.0.0.1", 0),
    }
    ports = {name: str(free_loopback_port()) for name in SERVICES}
    ports |= {name: str(server.port) for name, server in running.items()}
    yield {f"TRADEWIND_{name}_PORT": port for name, port in ports.items()} | {
        "TRADEWIND_DATA_DIR": str(tmp_path),
        "COLUMNS": "160",
    }
    await asyncio.gather(*(server.stop() for server in running.values()))


async def run(environment: dict[str, str], *arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, top.command, ["--once", *arguments], env=environment)


async def test_services_account_and_positions(environment: dict[str, str]) -> None:
    environment |= {"APCA_API_KEY_ID": "PKTRADER", "APCA_API_SECRET_KEY": "open sesame"}
    result = await run(environment)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    (gateway_line,) = (line for line in lines if "api-gateway" in line)
    assert " up " in gateway_line
    assert " ms " in gateway_line
    (order_line,) = (line for line in lines if "order-service" in line)
    assert "orders/s" in order_line
    assert "shards" in order_line
    (strategy_line,) = (line for line in lines if "strategy-service" in line)
    assert "down" in strategy_line
    assert "no answer at this address" in strategy_line
    assert "equity 100,250.50" in result.output
    assert "unrealised P&L +250.50" in result.output
    assert "today +250.50" in result.output
    (position_line,) = (line for line in lines if "AAPL" in line)
    assert "20,250.50" in position_line
    assert "open sesame" not in result.output


async def test_a_wrong_key_says_so(environment: dict[str, str]) -> None:
    result = await run(environment, "--key-id", "PKTRADER", "--secret-key", "wrong")
    assert result.exit_code == 0
    assert "the gateway does not accept this key" in result.output


async def test_without_a_key_a_hint_says_how_to_see_positions(environment: dict[str, str]) -> None:
    result = await run(environment)
    assert result.exit_code == 0
    assert "APCA_API_KEY_ID" in result.output


async def test_nothing_runs(environment: dict[str, str]) -> None:
    nothing = {f"TRADEWIND_{name}_PORT": str(free_loopback_port()) for name in SERVICES}
    result = await run(environment | nothing)
    assert result.exit_code == 0
    assert "Start the platform with `tradewind up`" in result.output


async def test_half_a_key_is_refused(environment: dict[str, str]) -> None:
    result = await run(environment, "--key-id", "PKTRADER")
    assert result.exit_code == 2
    assert "needs both" in result.output


def reading(read_at_s: float, samples: dict[str, float]) -> ServiceReading:
    return ServiceReading(
        name="order-service",
        url="http://127.0.0.1:8084",
        latency_s=0.001,
        problem=None,
        read_at_s=read_at_s,
        samples=samples,
    )


def test_orders_a_second_from_two_looks() -> None:
    text = """# TYPE tradewind_commands counter
tradewind_commands_total{command="SubmitOrder",outcome="accepted"} 90.0
tradewind_commands_total{command="SubmitOrder",outcome="refused"} 10.0
tradewind_commands_total{command="CancelOrder",outcome="accepted"} 7.0
"""
    samples = parse_metrics(text)
    assert (samples["tradewind_commands_total"], samples[ORDERS_SAMPLE]) == (107, 100)
    first, second = reading(1.0, {"up": 1}), reading(3.0, samples)
    assert rate(first, second, ORDERS_SAMPLE) == 50
    assert rate(None, second, ORDERS_SAMPLE) is None
    assert rate(second, reading(4.0, {ORDERS_SAMPLE: 3}), ORDERS_SAMPLE) is None  # started anew
