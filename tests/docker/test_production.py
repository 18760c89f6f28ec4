"""The production stack with replicas: any of them serves anyone, and killing them under load loses nothing acknowledged."""

import asyncio
import json
import random
import subprocess
from collections.abc import Iterator

import httpx
import pytest
import websockets

from tests.docker.stack import Stack, generated_secrets, inspect, running_stack, wait_until_healthy
from tests.e2e.order_clients import Promises, trade_until
from tests.e2e.traders import Trader
from tests.e2e.verdict import _not_shown_over_rest

FILE = "docker-compose.prod.yml"
REPLICAS = {"api-gateway": 3, "websocket-service": 2, "order-service": 2, "strategy-service": 2}
DEPOSIT = 50_000_000
KILL_INTERVAL_S = 6.0
KILLED = ("api-gateway", "order-service", "websocket-service", "strategy-service")
STREAMS = 4
"""More than there are replicas: the load balancer gives each replica some."""


@pytest.fixture(scope="module")
def stack(images: dict[str, str]) -> Iterator[Stack]:
    scale = [part for service, count in REPLICAS.items() for part in ("--scale", f"{service}={count}")]
    with running_stack((FILE,), generated_secrets(), *scale) as running:
        for service in ("load-balancer", "strategy-service", *REPLICAS):
            for container in running.containers(service):
                wait_until_healthy(container)
        yield running


@pytest.fixture(scope="module")
def trader(stack: Stack) -> Trader:
    return stack.trader("ada@example.com", DEPOSIT)


def test_every_replica_runs_hardened_and_limited(stack: Stack) -> None:
    for service, count in REPLICAS.items():
        containers = stack.containers(service)
        assert len(containers) == count
        for container in containers:
            host = inspect(container)["HostConfig"]
            cpus = 1 if service == "order-service" else 2
            assert host["NanoCpus"] == cpus * 1_000_000_000
            assert host["Memory"] == cpus * 1024**3
            assert host["PidsLimit"] == 256
            assert host["ReadonlyRootfs"]
            assert host["CapDrop"] == ["ALL"]
            assert host["SecurityOpt"] == ["no-new-privileges:true"]
            assert host["LogConfig"]["Config"]["max-size"] == "10m"


def test_only_the_load_balancer_is_published(stack: Stack) -> None:
    published = {
        service: [port for port in inspect(container)["NetworkSettings"]["Ports"].values() if port]
        for service in stack.compose("config", "--services").stdout.split()
        for container in stack.containers(service)
    }
    assert len(published.pop("load-balancer")) == 3
    assert not any(published.values())


def test_metrics_are_not_published(stack: Stack) -> None:
    for service in ("api-gateway", "websocket-service", "analytics-service"):
        assert httpx.get(f"{stack.url(service)}/ready", trust_env=False).status_code == 200
        assert httpx.get(f"{stack.url(service)}/metrics", trust_env=False).status_code == 404


async def test_an_order_is_told_on_every_stream(stack: Stack, trader: Trader) -> None:
    async with asyncio.timeout(30):
        streams = [await _listen(stack, trader) for _ in range(STREAMS)]
        async with httpx.AsyncClient(
            base_url=stack.url(), headers=trader.headers, trust_env=False, timeout=10
        ) as http:
            body = {"symbol": "AAPL", "side": "buy", "type": "market", "qty": "1", "time_in_force": "gtc"}
            while (answer := await http.post("/v2/orders", json=body)).status_code == 422:  # noqa: ASYNC110
                await asyncio.sleep(0.5)  # the market has just opened: the symbol has no price yet
        assert answer.status_code == 200, answer.text
        for stream in streams:
            while (await _next(stream))["data"]["order"]["id"] != answer.json()["id"]:
                pass
            await stream.close()


async def _listen(stack: Stack, trader: Trader) -> websockets.ClientConnection:
    url = stack.url("websocket-service").replace("http://", "ws://")
    stream = await websockets.connect(f"{url}/stream", proxy=None)
    await stream.send(json.dumps({"action": "auth", "key": trader.key_id, "secret": trader.secret}))
    await _next(stream)
    await stream.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
    await _next(stream)
    return stream


async def _next(stream: websockets.ClientConnection) -> dict[str, dict[str, dict[str, str]]]:
    message: dict[str, dict[str, dict[str, str]]] = json.loads(await stream.recv())
    return message


async def test_killed_replicas_lose_nothing_that_was_acknowledged(stack: Stack) -> None:
    traders = [
        await asyncio.to_thread(stack.trader, f"trader{number}@example.com", DEPOSIT) for number in range(4)
    ]
    stop = asyncio.Event()
    storm = asyncio.create_task(trade_until(stop, stack.url(), traders, seed=1))
    chooser = random.Random(1)
    for service in KILLED:
        await asyncio.sleep(KILL_INTERVAL_S)
        victim = chooser.choice(await asyncio.to_thread(stack.containers, service))
        await asyncio.to_thread(kill, victim)
    await asyncio.sleep(KILL_INTERVAL_S)
    stop.set()
    promises: Promises = await storm
    print(
        f"{len(promises.orders)} acknowledged, longest wait {promises.longest_wait_s:.1f} s, {promises.attempts}"
    )

    assert len(promises.orders) > 100, promises.attempts
    assert promises.offences == []
    assert await _not_shown_over_rest(stack, traders, promises) == []
    verify = await asyncio.to_thread(
        stack.compose, "exec", "-T", "api-gateway", "tradewind", "journal", "verify"
    )
    assert "the journal and the stored state agree" in verify.stdout


def kill(container: str) -> None:
    subprocess.run(["docker", "kill", container], check=True, capture_output=True)


@pytest.mark.parametrize("missing", sorted(generated_secrets()))
def test_a_missing_secret_is_named_before_anything_starts(missing: str) -> None:
    environment = {name: value for name, value in generated_secrets().items() if name != missing}
    done = Stack((FILE,), environment).compose("config", "--quiet", check=False)
    assert done.returncode != 0
    assert f"set {missing}" in done.stderr
