"""Alpaca's own Python client, unmodified, and our command line, against real processes of gateway and order service."""

import asyncio
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from tests import servers
from tests.servers import RedisAddress
from tradewind.adapters.auth.api_keys import RandomSecretSource
from tradewind.adapters.auth.passwords import Argon2PasswordHasher
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.postgres.instruments import seed_instruments
from tradewind.adapters.redis.connection import RedisAddress as BusAddress
from tradewind.adapters.redis.connection import connect
from tradewind.adapters.redis.market_data import RedisMarketData
from tradewind.cli.main import tradewind
from tradewind.cli.platform_connection import connect_to_platform
from tradewind.domain.market.ticks import Quote
from tradewind.domain.market.universe import default_universe
from tradewind.ports.credentials import KeyPair
from tradewind.services.gateway.account.opening import AccountOpening
from tradewind.services.gateway.auth.registration import create_api_key, register_user
from tradewind.settings import Settings, to_environment

with warnings.catch_warnings():
    # The client imports a deprecated part of another library.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, QueryOrderStatus, TimeInForce
    from alpaca.trading.requests import (
        ClosePositionRequest,
        GetOrdersRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
    )

START_TIMEOUT_S = 20.0
POLL_S = 0.05
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"


@pytest.fixture(scope="module")
def platform(postgres_url: str, migrated_template: str, redis_address: RedisAddress) -> Iterator[Settings]:
    """The gateway and the order service, ready, over a database of their own."""
    with servers.fresh_database(postgres_url, migrated_template) as database_url:
        yield from running_platform(database_url, redis_address)


def running_platform(database_url: str, redis_address: RedisAddress) -> Iterator[Settings]:
    ports = free_loopback_port(), free_loopback_port()
    settings = Settings(
        database_url=database_url,
        redis_host=redis_address.host,
        redis_port=redis_address.port,
        redis_password=redis_address.password,
        jwt_secret_key="j" * 40,
        gateway_port=ports[0],
        order_port=ports[1],
    )
    asyncio.run(prepare(settings))
    with ExitStack() as processes:
        for service, port in (("order-service", ports[1]), ("api-gateway", ports[0])):
            processes.enter_context(running(service, port, settings))
        yield settings


async def prepare(settings: Settings) -> None:
    async with connect_to_platform(settings) as platform:
        await seed_instruments(platform.engine, default_universe())


@contextmanager
def running(service: str, port: int, settings: Settings) -> Iterator[None]:
    """A service as its own process, from readiness to a clean end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tradewind.cli.main", "service", service],
        env={**os.environ, **to_environment(settings)},
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not is_ready(port):
            assert process.poll() is None, f"{service} ended"
            assert time.monotonic() < deadline_s, f"{service} does not become ready"
            time.sleep(POLL_S)
        yield
    finally:
        process.terminate()
        status = process.wait(timeout=12)
    assert status == 0, f"{service} did not end cleanly"


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


async def open_account(settings: Settings) -> KeyPair:
    async with connect_to_platform(settings) as platform:
        account_id = await AccountOpening(platform.sender, platform.queries).open(
            Decimal(100_000), Decimal(2)
        )
        user_id = await register_user(
            platform.credentials, Argon2PasswordHasher(), platform.ids, platform.clock, EMAIL, PASSWORD
        )
        await platform.credentials.add_account(user_id, account_id)
        return await create_api_key(
            platform.credentials, RandomSecretSource(), platform.clock, user_id, account_id
        )


async def quote(settings: Settings, symbol: str, bid: str, ask: str) -> None:
    redis = connect(BusAddress(settings.redis_host, settings.redis_port, settings.redis_password))
    size = Decimal(1_000)
    event = Quote(symbol, Decimal(bid), size, Decimal(ask), size, time.time_ns())
    await RedisMarketData(redis).publish([event])
    await redis.aclose()


def test_submit_list_replace_cancel_and_close(platform: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    key = asyncio.run(open_account(platform))
    client = TradingClient(key.key_id, key.secret, url_override=f"http://127.0.0.1:{platform.gateway_port}")
    assert client.get_account().cash == "100000"
    assert client.get_clock().is_open

    order = client.submit_order(
        LimitOrderRequest(
            symbol="AAPL", qty=2, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=150.25
        )
    )
    wait_until(lambda: client.get_order_by_id(order.id).status == "new")
    assert [listed.id for listed in client.get_orders()] == [order.id]
    assert client.get_order_by_client_id(order.client_order_id).id == order.id

    replaced = client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=3, limit_price=151))
    wait_until(lambda: client.get_order_by_id(replaced.id).status == "new")
    assert (replaced.qty, replaced.limit_price, replaced.replaces) == ("3", "151", order.id)
    client.cancel_order_by_id(replaced.id)
    wait_until(lambda: client.get_order_by_id(replaced.id).status == "canceled")
    with pytest.raises(APIError) as refused:
        client.cancel_order_by_id(replaced.id)
    assert refused.value.code == 42210000

    wait_until(lambda: bought(client, platform))
    wait_until(lambda: filled(client, platform, 1))
    assert client.get_open_position("AAPL").qty == "5"
    client.close_position("AAPL", ClosePositionRequest(percentage="40"))
    wait_until(lambda: filled(client, platform, 2))
    assert client.get_all_positions()[0].qty == "3"
    assert client.close_all_positions(cancel_orders=True)[0].status == 200
    wait_until(lambda: filled(client, platform, 3))
    assert client.get_all_positions() == []


def bought(client: TradingClient, settings: Settings) -> bool:
    """Whether a market order was taken: not before the order service has heard of a price."""
    asyncio.run(quote(settings, "AAPL", "199.99", "200.01"))
    order = MarketOrderRequest(symbol="AAPL", qty=5, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    try:
        client.submit_order(order)
    except APIError as error:
        if "no_reference_price" not in str(error):
            raise
        return False
    return True


def filled(client: TradingClient, settings: Settings, count: int) -> bool:
    asyncio.run(quote(settings, "AAPL", "199.99", "200.01"))
    closed = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED))
    return sum(order.status == "filled" for order in closed) == count


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline_s, "it does not come"
        time.sleep(POLL_S)


def test_a_newcomer_gets_from_nothing_to_an_order_on_the_command_line(
    platform: Settings, tmp_path: Path
) -> None:
    environment = to_environment(platform) | {"TRADEWIND_DATA_DIR": str(tmp_path), "COLUMNS": "200"}

    def tradewind_says(*arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(tradewind, arguments, env=environment)
        assert result.exit_code == status, result.output
        return result.output

    user = json.loads(tradewind_says("user", "create", "--email", "Bob@Example.com", "--json"))
    assert user["email"] == "bob@example.com"
    assert len(user["password"]) >= 10
    again = tradewind_says("user", "create", "--email", "bob@example.com", status=1)
    assert again.strip() == "Error: there is a user with the e-mail address bob@example.com"
    assert "user create" in tradewind_says("key", "create", "--email", "eve@example.com", status=1)
    key = json.loads(tradewind_says("key", "create", "--email", "bob@example.com", "--json"))
    assert key["account_id"] == user["account_id"]

    assert "APCA_API_KEY_ID" in tradewind_says("order", "list", status=1)
    environment |= {"APCA_API_KEY_ID": key["key_id"], "APCA_API_SECRET_KEY": key["secret"]}
    assert "pending_new" in tradewind_says("order", "submit", "AAPL", "buy", "1", "--limit", "150.5")
    assert "150.5" in tradewind_says("order", "list")
    too_fine = tradewind_says("order", "submit", "AAPL", "buy", "1", "--limit", "150.505", status=1)
    assert "multiples of 0.01" in too_fine
    assert "asked to cancel 1 order\n" in tradewind_says("order", "cancel", "--all")
    assert "is not a decimal number" in tradewind_says("order", "submit", "AAPL", "buy", "many", status=2)
