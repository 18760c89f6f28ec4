"""HTTP load generator: N keep-alive connections that each submit one order at a time and wait for the answer.

Closed loop: a connection sends its next order when the last is answered. Open loop (`--rate`): orders fall due at a
constant rate whatever the server does, and latency counts from the due time, so a stall is charged to every
order it delayed (no coordinated omission). Run as a process of its own; prints one JSON object.
"""

import argparse
import asyncio
import gc
import itertools
import sys
import time
import uuid
from array import array
from collections import Counter, deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httptools
import msgspec
import uvloop

from benchmarks.load_plan import Accounts, KeyPair, LoadPlan, LoadResult, percentile
from benchmarks.monotonic_timer import NS_PER_S, MonotonicTimer

DRAIN_S_MAX = 10.0
REFUSAL_CHARS_MAX = 500
CONNECT_TIMEOUT_S = 10.0
# Far below any simulated price, so the orders rest; the prices vary so that no level is special.
LIMIT_CENTS_LOWEST = 500
LIMIT_CENTS_STEPS = 500


class Pacer(Protocol):
    """Decides when an idle connection sends its next order."""

    def idle(self, connection: "Connection") -> None:
        """The connection has no order in flight."""

    def unsent_intended_ns(self) -> Iterator[int]:
        """Due times, before the end of the window, of orders that no connection was free to send."""

    def close(self) -> None:
        """Send nothing more."""


class Recorder:
    """Counts the answers and keeps the latencies of the measured window `[from_ns, to_ns)`."""

    def __init__(self, from_ns: int, to_ns: int) -> None:
        self.from_ns = from_ns
        self.to_ns = to_ns
        self.latencies_ns = array("q")
        self.statuses: Counter[int] = Counter()
        self.cancel_statuses: Counter[int] = Counter()
        self.acknowledged = 0
        self.acknowledged_in_all = 0
        self.unanswered = 0
        self.connections_lost = 0
        self.first_refusal = ""

    def answered(self, intended_ns: int, answered_ns: int, status: int, body: bytes) -> None:
        """An order got its complete answer."""
        acknowledged = 200 <= status < 300
        if acknowledged:
            self.acknowledged_in_all += 1
            if self.from_ns <= answered_ns < self.to_ns:
                self.acknowledged += 1
        elif not self.first_refusal:
            text = body.decode("utf-8", "replace")
            self.first_refusal = f"{status} {text}"[:REFUSAL_CHARS_MAX]
        if self.from_ns <= intended_ns < self.to_ns:
            self.statuses[status] += 1
            if acknowledged:
                self.latencies_ns.append(answered_ns - intended_ns)

    def gave_up(self, intended_ns: int, now_ns: int) -> None:
        """An order intended inside the window has no answer: its latency is at least the time waited."""
        if self.from_ns <= intended_ns < self.to_ns:
            self.unanswered += 1
            self.latencies_ns.append(now_ns - intended_ns)


class Connection(asyncio.Protocol):
    """One keep-alive connection of one account, with at most one request in flight."""

    def __init__(self, plan: LoadPlan, key: KeyPair, bodies: Iterator[bytes], recorder: Recorder) -> None:
        common = f"Host: {plan.host}:{plan.port}\r\nAPCA-API-KEY-ID: {key.id}\r\nAPCA-API-SECRET-KEY: {key.secret}\r\n"
        self._submit_head = (
            f"POST /v2/orders HTTP/1.1\r\n{common}Content-Type: application/json\r\nContent-Length: "
        ).encode("ascii")
        self._cancel_tail = f" HTTP/1.1\r\n{common}\r\n".encode("ascii")
        self._bodies = bodies
        self._recorder = recorder
        self._parser = httptools.HttpResponseParser(self)
        self._answer = b""
        self._cancelling = False
        self.intended_ns = 0
        self.in_flight = False
        self.cancels = plan.cancels
        self.pacer: Pacer | None = None
        self.transport: asyncio.Transport | None = None

    def submit(self, intended_ns: int) -> None:
        """Send the next order now; its latency counts from `intended_ns`."""
        if self.transport is None:
            return
        body = next(self._bodies)
        self.intended_ns = intended_ns
        self.in_flight = True
        self.transport.write(b"%b%d\r\n\r\n%b" % (self._submit_head, len(body), body))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._recorder.connections_lost += 1

    def on_body(self, body: bytes) -> None:
        self._answer = self._answer + body if self._answer else body

    def on_message_complete(self) -> None:
        answered_ns = time.monotonic_ns()
        status = self._parser.get_status_code()
        body, self._answer = self._answer, b""
        self.in_flight = False
        if self._cancelling:
            self._cancelling = False
            self._recorder.cancel_statuses[status] += 1
        else:
            self._recorder.answered(self.intended_ns, answered_ns, status, body)
            if self.cancels and 200 <= status < 300:
                self._cancel(body)
                return
        if self.pacer is not None:
            self.pacer.idle(self)

    def _cancel(self, acknowledgment: bytes) -> None:
        if self.transport is None:
            return
        order_id: str = msgspec.json.decode(acknowledgment)["id"]
        self._cancelling = True
        self.transport.write(b"DELETE /v2/orders/" + order_id.encode("ascii") + self._cancel_tail)


class ClosedLoop:
    """Each connection sends as soon as it is idle, until `to_ns`."""

    def __init__(self, to_ns: int) -> None:
        self._to_ns = to_ns

    def idle(self, connection: Connection) -> None:
        now_ns = time.monotonic_ns()
        if now_ns < self._to_ns:
            connection.submit(now_ns)

    def unsent_intended_ns(self) -> Iterator[int]:
        return iter(())

    def close(self) -> None:
        self._to_ns = 0


class OpenLoop:
    """Order k is due at `begin_ns + k / rate`, until `to_ns`; due orders wait for a free connection, in turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rate_per_s: float, begin_ns: int, to_ns: int) -> None:
        self._interval_ns = NS_PER_S / rate_per_s
        self._begin_ns = begin_ns
        self._orders_max = int((to_ns - begin_ns) / self._interval_ns)
        self._next = 0
        self._idle: deque[Connection] = deque()  # never longer than the number of connections
        self._armed_for = -1
        self._timer = MonotonicTimer(loop, self._dispatch)

    def idle(self, connection: Connection) -> None:
        self._idle.append(connection)
        self._dispatch()

    def unsent_intended_ns(self) -> Iterator[int]:
        return (self._due_ns(index) for index in range(self._next, self._orders_max))

    def close(self) -> None:
        self._timer.close()

    def _due_ns(self, index: int) -> int:
        return self._begin_ns + int(index * self._interval_ns)

    def _dispatch(self) -> None:
        while self._idle and self._next < self._orders_max:
            due_ns = self._due_ns(self._next)
            if due_ns > time.monotonic_ns():
                if self._armed_for != self._next:
                    self._armed_for = self._next
                    self._timer.arm(due_ns)
                return
            self._next += 1
            self._idle.popleft().submit(due_ns)


def order_bodies(symbols: list[str]) -> Iterator[bytes]:
    """Endless Alpaca-style limit buys that rest far below the market, each with its own client order id."""
    run = uuid.uuid4().hex[:12]
    for number in itertools.count():
        dollars, cents = divmod(LIMIT_CENTS_LOWEST + number * 7 % LIMIT_CENTS_STEPS, 100)
        yield (
            b'{"symbol":"%b","qty":"1","side":"buy","type":"limit","time_in_force":"gtc",'
            b'"limit_price":"%d.%02d","client_order_id":"bench-%b-%d"}'
        ) % (symbols[number % len(symbols)].encode(), dollars, cents, run.encode(), number)


async def run_load(plan: LoadPlan) -> LoadResult:
    """Carry out the plan; raises `OSError` when the server cannot be reached."""
    loop = asyncio.get_running_loop()
    recorder = Recorder(0, 0)
    connections = await _connect(plan, recorder)
    gc.collect()
    gc.freeze()
    gc.disable()  # a run is short, and a collection would look like latency of the server
    begin_ns = time.monotonic_ns()
    recorder.from_ns = begin_ns + int(plan.warmup_s * NS_PER_S)
    recorder.to_ns = recorder.from_ns + int(plan.measured_s * NS_PER_S)
    pacer: Pacer = (
        OpenLoop(loop, plan.rate_per_s, begin_ns, recorder.to_ns)
        if plan.rate_per_s
        else ClosedLoop(recorder.to_ns)
    )
    for connection in connections:
        connection.pacer = pacer
        pacer.idle(connection)
    await asyncio.sleep(plan.warmup_s)
    cpu_before_s = time.process_time()
    await asyncio.sleep(plan.measured_s)
    cpu_s = time.process_time() - cpu_before_s
    await _drain(connections, pacer)
    _give_up(connections, pacer, recorder)
    pacer.close()
    lost = recorder.connections_lost
    for connection in connections:
        if connection.transport is not None:
            connection.transport.abort()
    return _result(plan, recorder, cpu_s, lost)


async def _connect(plan: LoadPlan, recorder: Recorder) -> list[Connection]:
    loop = asyncio.get_running_loop()
    bodies = order_bodies(plan.accounts.symbols)
    keys = itertools.cycle(plan.accounts.keys)
    connections: list[Connection] = []
    for _ in range(plan.connections):
        connection = Connection(plan, next(keys), bodies, recorder)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await loop.create_connection(partial(_itself, connection), plan.host, plan.port)
        connections.append(connection)
    return connections


def _itself(connection: Connection) -> Connection:
    return connection


async def _drain(connections: list[Connection], pacer: Pacer) -> None:
    """Wait, at most `DRAIN_S_MAX`, until every order sent or due has its answer."""
    deadline_s = time.monotonic() + DRAIN_S_MAX
    while time.monotonic() < deadline_s:
        live = [connection for connection in connections if connection.transport is not None]
        waiting = next(pacer.unsent_intended_ns(), None) is not None
        if not live or not (waiting or any(connection.in_flight for connection in live)):
            return
        await asyncio.sleep(0.005)


def _give_up(connections: list[Connection], pacer: Pacer, recorder: Recorder) -> None:
    now_ns = time.monotonic_ns()
    for connection in connections:
        if connection.in_flight:
            recorder.gave_up(connection.intended_ns, now_ns)
    for intended_ns in pacer.unsent_intended_ns():
        recorder.gave_up(intended_ns, now_ns)


def _result(plan: LoadPlan, recorder: Recorder, cpu_s: float, connections_lost: int) -> LoadResult:
    latencies_ns = sorted(recorder.latencies_ns)
    return LoadResult(
        loop="open" if plan.rate_per_s else "closed",
        connections=plan.connections,
        offered_per_s=plan.rate_per_s,
        measured_s=plan.measured_s,
        acknowledged=recorder.acknowledged,
        acknowledged_per_s=round(recorder.acknowledged / plan.measured_s, 1),
        acknowledged_in_all=recorder.acknowledged_in_all,
        p50_ms=round(percentile(latencies_ns, 0.5) / 1e6, 3),
        p99_ms=round(percentile(latencies_ns, 0.99) / 1e6, 3),
        p99_9_ms=round(percentile(latencies_ns, 0.999) / 1e6, 3),
        max_ms=round(latencies_ns[-1] / 1e6, 3) if latencies_ns else 0.0,
        statuses={str(status): count for status, count in sorted(recorder.statuses.items())},
        cancel_statuses={str(status): count for status, count in sorted(recorder.cancel_statuses.items())},
        unanswered=recorder.unanswered,
        connections_lost=connections_lost,
        first_refusal=recorder.first_refusal,
        cpu_s=round(cpu_s, 3),
    )


def parse_plan(arguments: list[str]) -> LoadPlan:
    """The plan that a command line asks for; exits with a usage message when it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load_generator", description=__doc__)
    parser.add_argument("--url", required=True, help="base URL, http://HOST:PORT")
    parser.add_argument(
        "--accounts", required=True, type=Path, help='JSON file {"keys": [{id, secret}], "symbols": []}'
    )
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--warmup", type=float, default=1.0, help="seconds before measuring")
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds measured")
    parser.add_argument("--rate", type=float, default=0.0, help="open loop at this many orders a second")
    parser.add_argument(
        "--cancel", action="store_true", help="cancel each order after its acknowledgment (not counted)"
    )
    options = parser.parse_args(arguments)
    url = urlsplit(options.url)
    if url.scheme != "http" or not url.hostname or not url.port:
        parser.error("--url must look like http://127.0.0.1:8080")
    if options.connections < 1 or options.seconds <= 0 or options.warmup < 0 or options.rate < 0:
        parser.error("--connections and --seconds must be positive, --warmup and --rate not negative")
    return LoadPlan(
        host=url.hostname,
        port=url.port,
        accounts=Accounts.read(options.accounts),
        connections=options.connections,
        warmup_s=options.warmup,
        measured_s=options.seconds,
        rate_per_s=options.rate,
        cancels=options.cancel,
    )


def main() -> int:
    """Run the command line's plan and print its result; 1 when no order was acknowledged."""
    result = uvloop.run(run_load(parse_plan(sys.argv[1:])))
    print(msgspec.json.encode(result).decode())
    return 0 if result.acknowledged else 1


if __name__ == "__main__":
    sys.exit(main())
