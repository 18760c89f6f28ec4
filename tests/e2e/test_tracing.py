"""One order, followed through the real processes: a collector receives one trace with the spans of each service."""

import asyncio
import gzip
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from websockets.asyncio.client import connect

from tests.e2e.platform import LivePlatform, live_platform
from tests.e2e.traders import Trader, open_accounts

pytestmark = pytest.mark.e2e

WAIT_S = 15.0
SERVICES = {"api-gateway", "order-service", "websocket-service"}
ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}

Spans = dict[str, dict[str, set[str]]]
"""Names of spans by trace id and service."""


class Collector:
    """Receives OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: Spans = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            service = next(
                a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
            )
            for scope in resource.scope_spans:
                for span in scope.spans:
                    trace = self.spans.setdefault(span.trace_id.hex(), {})
                    trace.setdefault(service, set()).add(span.name)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture(scope="module")
def traced_platform(collector: Collector) -> Iterator[LivePlatform]:
    settings = {
        "TRADEWIND_TRACE_RATIO": "1",
        "TRADEWIND_STRATEGY": "none",
        "TRADEWIND_LOG_LEVEL": "debug",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with live_platform(settings) as platform:
        yield platform


async def submit_and_see_filled(platform: LivePlatform, trader: Trader) -> str:
    """Submit an order while the stream is listened to; the request's id."""
    url = platform.url("websocket-service").replace("http", "ws") + "/stream"
    async with connect(url, proxy=None) as stream, httpx.AsyncClient(trust_env=False) as client:
        for message in (
            {"action": "auth", "key": trader.key_id, "secret": trader.secret},
            {"action": "listen", "data": {"streams": ["trade_updates"]}},
        ):
            await stream.send(json.dumps(message))
            await stream.recv()
        answer = await submit(client, platform, trader)
        async with asyncio.timeout(WAIT_S):
            while json.loads(await stream.recv())["data"]["event"] != "fill":
                pass
    return str(answer.headers["x-request-id"])


async def submit(client: httpx.AsyncClient, platform: LivePlatform, trader: Trader) -> httpx.Response:
    """Submit as soon as the symbol has prices: the platform is new."""
    deadline_s = time.monotonic() + WAIT_S
    while True:
        answer = await client.post(f"{platform.url()}/v2/orders", json=ORDER, headers=trader.headers)
        if answer.status_code == 200:
            return answer
        assert time.monotonic() < deadline_s, answer.text
        await asyncio.sleep(0.1)


async def test_one_trace_shows_an_order_from_the_request_to_the_client(
    traced_platform: LivePlatform, collector: Collector
) -> None:
    (trader,) = await open_accounts(traced_platform.settings, 1)
    request_id = await submit_and_see_filled(traced_platform, trader)
    trace_id = request_id.replace("-", "")
    deadline_s = time.monotonic() + WAIT_S
    while not is_whole(trace := collector.spans.get(trace_id, {})):
        assert time.monotonic() < deadline_s, trace
        await asyncio.sleep(0.1)
    assert set(trace) == SERVICES
    assert trace["api-gateway"] == {"POST /v2/orders", "send SubmitOrder"}
    assert {"apply OrderSubmitted", "dispatch OrderSubmitted", "apply OrderExecuted"} <= trace[
        "order-service"
    ]
    assert any(name.startswith("venue until ") for name in trace["order-service"])
    assert_logs_lead_to(traced_platform, request_id, trace_id)


def is_whole(trace: dict[str, set[str]]) -> bool:
    return (
        "POST /v2/orders" in trace.get("api-gateway", ())
        and "apply OrderExecuted" in trace.get("order-service", ())
        and "send update OrderExecuted" in trace.get("websocket-service", ())
    )


def assert_logs_lead_to(platform: LivePlatform, request_id: str, trace_id: str) -> None:
    """Each service wrote a line with the request's id; where it wrote JSON, the trace's beside it."""
    lines = [line for line in platform.log.read_text(errors="replace").splitlines() if request_id in line]
    for service in SERVICES:
        assert any(service in line and trace_id in line for line in lines), (service, lines)
