"""What a newcomer meets: a platform that says where it is and what to try, and that keeps everything."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.platform import HOST, SERVICES, LivePlatform, clean_environment, live_platform
from tradewind.adapters.embedded.processes import command_line
from tradewind.version import __version__

pytestmark = pytest.mark.e2e

STOP_TIMEOUT_S = 10.0
FILL_TIMEOUT_S = 10.0


@pytest.fixture(scope="module")
def platform() -> Iterator[LivePlatform]:
    """One platform for the tests of this file, at its first start: with private servers, whatever is set."""
    with live_platform() as started:
        yield started


@pytest.fixture
def client(platform: LivePlatform) -> Iterator[httpx.Client]:
    """Speaks to the gateway with the key that the first banner showed."""
    with httpx.Client(base_url=platform.url(), headers=key_headers(platform), trust_env=False) as http:
        yield http


def key_headers(platform: LivePlatform) -> dict[str, str]:
    """The key of the first start: a banner shows its secret once, so it is read from the whole log."""
    shown = platform.first_banner()
    return {"APCA-API-KEY-ID": shown["API key"], "APCA-API-SECRET-KEY": shown["API secret"]}


def test_the_banner_shows_urls_a_user_and_a_key_that_work(
    platform: LivePlatform, client: httpx.Client
) -> None:
    banner = platform.first_banner()
    assert banner["REST API"] == platform.url()
    assert banner["Analytics"] == platform.url("analytics-service")
    assert banner["WebSocket"] == platform.url("websocket-service").replace("http", "ws") + "/stream"
    email, _, password = banner["User"].partition(", password ")

    answer = client.post("/v1/auth/login", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    account = client.get("/v2/account").json()
    assert account["status"] == "ACTIVE"
    assert account["cash"] == "100000"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_says_how_it_is(platform: LivePlatform, service: str) -> None:
    with httpx.Client(base_url=platform.url(service), trust_env=False) as http:
        assert http.get("/health").status_code == 200
        assert http.get("/ready").status_code == 200
        version = http.get("/version").json()
        assert (version["service"], version["version"]) == (service, __version__)
        metrics = http.get("/metrics")
        assert metrics.headers["content-type"].startswith("text/plain")
        assert f'tradewind_build_info{{service="{service}"' in metrics.text


def test_a_busy_port_is_named_with_its_mend(platform: LivePlatform, tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as holder:
        port: int = holder.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "tradewind.cli.main", "up", "--data-dir", str(tmp_path / "data")],
            env=clean_environment() | {"TRADEWIND_GATEWAY_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: TRADEWIND_GATEWAY_PORT: cannot listen on {HOST}:{port}")
    assert len(done.stderr.splitlines()) == 1


def test_a_second_platform_on_the_same_data_is_refused(platform: LivePlatform) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tradewind.cli.main", "up", "--data-dir", str(platform.data_dir)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert f"process {platform.supervisor_pid}" in done.stderr


def test_every_service_leaves_with_status_0_when_asked_and_is_started_again(platform: LivePlatform) -> None:
    before = {name: platform.pid(name) for name in SERVICES}
    began_s = time.monotonic()
    for pid in before.values():
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
    while any(command_line(pid) for pid in before.values() if pid is not None):
        assert time.monotonic() - began_s < STOP_TIMEOUT_S
        time.sleep(0.02)
    platform.wait_until_ready()
    lines = platform.log.read_text().splitlines()
    for name in SERVICES:
        assert any(f"{name} ended with status 0" in line for line in lines)


def test_a_second_start_finds_everything_as_it_was(platform: LivePlatform, client: httpx.Client) -> None:
    fill_an_order(client)
    client.post("/v2/orders", json=ORDER | {"client_order_id": "rests", "type": "limit", "limit_price": "10"})
    before = what_the_user_has(client)
    assert [order["status"] for order in before["orders"]] == ["new", "filled"]

    assert platform.stop() == 0
    platform.start()

    banner = platform.banner()
    assert banner["API key"].startswith(platform.first_banner()["API key"])
    assert "API secret" not in banner
    assert what_the_user_has(client) == before


ORDER = {"symbol": "AAPL", "qty": "2", "side": "buy", "time_in_force": "gtc"}


def fill_an_order(client: httpx.Client) -> None:
    """Buy at the market and wait for the fill."""
    client.post("/v2/orders", json=ORDER | {"client_order_id": "fills", "type": "market"}).raise_for_status()
    deadline_s = time.monotonic() + FILL_TIMEOUT_S
    query = {"client_order_id": "fills"}
    while client.get("/v2/orders:by_client_order_id", params=query).json()["status"] != "filled":
        assert time.monotonic() < deadline_s, "the market order does not fill"
        time.sleep(0.05)


def what_the_user_has(client: httpx.Client) -> dict[str, Any]:
    """The account, its orders and positions, without what moves with the market."""
    account = client.get("/v2/account").raise_for_status().json()
    orders = client.get("/v2/orders", params={"status": "all"}).raise_for_status().json()
    positions = client.get("/v2/positions").raise_for_status().json()
    return {
        "account": {name: account[name] for name in ("id", "account_number", "cash", "status")},
        "orders": orders,
        "positions": [{name: held[name] for name in ("symbol", "qty", "cost_basis")} for held in positions],
    }
