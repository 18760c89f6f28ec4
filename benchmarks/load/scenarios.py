"""The three scenarios: orders over REST, fan-out of streams, and a mixed trading day."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.load.figures import Recorder, Scenario, of_load_result
from benchmarks.load.http_client import HttpClient, Lost
from benchmarks.load.streams import FanOut, MarketData, OrderUpdates, connect, until_listening
from benchmarks.load.targets import Addresses, Target
from benchmarks.load.trader import UPDATE, Trader
from benchmarks.load_plan import Accounts, KeyPair, LoadResult
from benchmarks.monotonic_timer import NS_PER_S
from benchmarks.processes import BenchmarkError

REPOSITORY = Path(__file__).resolve().parents[2]
WARMUP_S = 1.0
GENERATOR_SLACK_S = 60.0
UPDATES_TIMEOUT_S = 5.0
HTTP_CONNECTIONS = 32
ACTIONS_AT_ONCE_MAX = 1_000
"""Due actions under way; one more is an error: the platform is that far behind."""
STREAM_PATH = "/v2/iex"

FAN_OUT = "market event, first client to each other"
FAN_OUT_ORDERS_PER_S = 10.0
DAY_PHASES = (("open", 1.5, 0.3), ("midday", 0.5, 0.4), ("close", 1.5, 0.3))
"""Name, rate as a multiple of the day's, and share of its time."""


class Load(NamedTuple):
    """How much of everything."""

    seconds: float
    orders_per_s: float
    stream_clients: int
    actions_per_s: float


def rest(target: Target, load: Load) -> Scenario:
    """Limit orders at a constant rate, each cancelled after its answer: the load generator's open loop, in a process of its own."""
    if target.addresses.rest.startswith("https://"):
        raise BenchmarkError(
            "the scenario rest speaks plain HTTP: choose others with --scenarios websocket,day"
        )
    with tempfile.TemporaryDirectory(prefix="tradewind-load-") as folder:
        accounts = Path(folder) / "accounts.json"
        target.accounts.write(accounts)
        done = subprocess.run(
            [
                sys.executable, "-m", "benchmarks.load_generator", "--url", target.addresses.rest,
                "--accounts", str(accounts), "--connections", str(HTTP_CONNECTIONS), "--cancel",
                "--rate", str(load.orders_per_s), "--warmup", str(WARMUP_S), "--seconds", str(load.seconds),
            ],
            cwd=REPOSITORY,
            env=os.environ,
            capture_output=True,
            timeout=load.seconds + GENERATOR_SLACK_S,
            check=False,
        )  # fmt: skip
    try:
        result = msgspec.json.decode(done.stdout, type=LoadResult)
    except msgspec.DecodeError as error:
        raise BenchmarkError(
            f"the load generator failed:\n{done.stderr.decode(errors='replace').strip()}"
        ) from error
    return Scenario(
        name="rest",
        seconds=load.seconds,
        operations=[of_load_result("submit limit order", result)],
        notes={"offered orders/s": load.orders_per_s, "connections": HTTP_CONNECTIONS},
    )


async def websocket(target: Target, load: Load) -> Scenario:
    """Many clients receive all quotes and trades, while orders are submitted and their updates awaited."""
    recorder = Recorder()
    recorder.expect(FAN_OUT, UPDATE)
    fan_out = FanOut(recorder, FAN_OUT)
    clients = await _market_clients(target, load.stream_clients, fan_out)
    floor = await _trading_floor(target, recorder)
    try:
        await asyncio.sleep(WARMUP_S)
        fan_out.is_measuring = True
        traders = floor.in_turn()
        await _at_rate(
            FAN_OUT_ORDERS_PER_S, load.seconds, lambda due_ns: next(traders).submit_limit(due_ns), recorder
        )
        fan_out.is_measuring = False
        await floor.await_updates()
    finally:
        floor.close()
    _judge_clients(clients, recorder)
    return Scenario(
        name="websocket",
        seconds=load.seconds,
        operations=recorder.operations(load.seconds),
        notes={
            "clients": len(clients),
            "messages/s": round(fan_out.messages / load.seconds, 1),
            "events/s": round(fan_out.events / load.seconds, 1),
        },
    )


async def day(target: Target, load: Load) -> Scenario:
    """Traders do all that traders do, busily at the open and the close, with streams open beside them."""
    recorder = Recorder()
    recorder.expect("submit limit order", "submit market order", "cancel order", UPDATE)
    fan_out = FanOut(recorder, FAN_OUT)
    clients = await _market_clients(target, max(load.stream_clients // 4, 2), fan_out)
    floor = await _trading_floor(target, recorder)
    try:
        traders = floor.in_turn()
        fan_out.is_measuring = True
        for _, factor, share in DAY_PHASES:
            rate, seconds = load.actions_per_s * factor, load.seconds * share
            await _at_rate(rate, seconds, lambda due_ns: next(traders).act(due_ns), recorder)
        fan_out.is_measuring = False
        await floor.await_updates()
    finally:
        floor.close()
    _judge_clients(clients, recorder)
    return Scenario(
        name="day",
        seconds=load.seconds,
        operations=recorder.operations(load.seconds),
        notes={
            "offered actions/s": load.actions_per_s,
            "stream clients": len(clients),
            "cancels and replaces too late": sum(trader.races for trader in floor.traders),
        },
    )


class _TradingFloor:
    """The traders, their connections and their streams of updates."""

    def __init__(self, addresses: Addresses, recorder: Recorder) -> None:
        self._rest = HttpClient(addresses.rest, HTTP_CONNECTIONS)
        self._analytics = HttpClient(addresses.analytics, HTTP_CONNECTIONS)
        self._stream_url = f"{addresses.stream}/stream"
        self._recorder = recorder
        self._updates: list[OrderUpdates] = []
        self.traders: list[Trader] = []

    async def open(self, accounts: Accounts) -> None:
        for number, key in enumerate(accounts.keys):
            updates = await connect(partial(OrderUpdates, key, self._recorder, UPDATE), self._stream_url)
            assert isinstance(updates, OrderUpdates)
            self._updates.append(updates)
            trader = Trader(
                key, self._rest, self._analytics, updates, self._recorder, accounts.symbols, number
            )
            try:
                await trader.prepare()
            except (Lost, msgspec.DecodeError) as error:
                raise BenchmarkError(f"account of key {key.id}: {error}") from error
            self.traders.append(trader)
        await until_listening(self._updates)

    def in_turn(self) -> Iterator[Trader]:
        while True:
            yield from self.traders

    async def await_updates(self) -> None:
        deadline_s = time.monotonic() + UPDATES_TIMEOUT_S
        while any(updates.awaited for updates in self._updates) and time.monotonic() < deadline_s:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # a stream tells nobody of its last update
        for updates in self._updates:
            updates.give_up()

    def close(self) -> None:
        for updates in self._updates:
            updates.close()
        self._rest.close()
        self._analytics.close()


async def _trading_floor(target: Target, recorder: Recorder) -> _TradingFloor:
    floor = _TradingFloor(target.addresses, recorder)
    try:
        await floor.open(target.accounts)
    except BaseException:
        floor.close()
        raise
    return floor


async def _market_clients(target: Target, count: int, fan_out: FanOut) -> list[MarketData]:
    keys: list[KeyPair] = target.accounts.keys
    url = f"{target.addresses.stream}{STREAM_PATH}"
    clients = []
    for number in range(count):
        client = await connect(partial(MarketData, keys[number % len(keys)], fan_out), url)
        assert isinstance(client, MarketData)
        clients.append(client)
    await until_listening(clients)
    return clients


def _judge_clients(clients: list[MarketData], recorder: Recorder) -> None:
    for client in clients:
        if client.cut:
            recorder.failed(FAN_OUT, f"a client was cut: {client.cut}")
        client.close()


async def _at_rate(
    rate_per_s: float, seconds: float, act: Callable[[int], Awaitable[None]], recorder: Recorder
) -> None:
    """Begin an action whenever one falls due, whatever became of the ones before; returns when all have ended."""
    begin_ns = time.monotonic_ns()
    under_way: set[asyncio.Task[None]] = set()
    for number in range(int(rate_per_s * seconds)):
        due_ns = begin_ns + int(number * NS_PER_S / rate_per_s)
        wait_ns = due_ns - time.monotonic_ns()
        if wait_ns > 0:
            await asyncio.sleep(wait_ns / NS_PER_S)
        if len(under_way) >= ACTIONS_AT_ONCE_MAX:
            recorder.failed("action", f"not begun: {ACTIONS_AT_ONCE_MAX} are under way")
            continue
        task = asyncio.ensure_future(act(due_ns))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    for task in tuple(under_way):
        await task
