"""Spans of one order find each other although no service tells another about them."""

import asyncio
import uuid
from collections.abc import MutableMapping
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tradewind.adapters.opentelemetry.spans import ChosenIds, OpenTelemetrySpans, new_provider
from tradewind.entrypoints.observing import open_spans
from tradewind.operations.traced_requests import TracedRequests
from tradewind.operations.tracing import NO_SPANS, Span, add_trace_id, trace_id_of
from tradewind.settings import Settings

REQUEST = "0193a5b2-0000-7000-8000-0000000000aa"


class Collected:
    """A service's recorder, and what it sent."""

    def __init__(self, service: str, ratio: float = 1.0) -> None:
        ids = ChosenIds()
        provider = new_provider(service, "1", ratio, ids)
        self.exporter = InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.spans = OpenTelemetrySpans(provider, ids)


def span(name: str, correlation_id: str = REQUEST) -> Span:
    return Span(name, correlation_id, 1_000, 2_000)


def test_spans_of_two_services_are_one_trace_under_the_request() -> None:
    gateway, orders = Collected("api-gateway"), Collected("order-service")
    gateway.spans.record_root(span("POST /v2/orders"))
    orders.spans.record(span("apply OrderSubmitted"))
    (root,) = gateway.exporter.get_finished_spans()
    (child,) = orders.exporter.get_finished_spans()
    assert root.context.trace_id == child.context.trace_id == uuid.UUID(REQUEST).int
    assert root.parent is None
    assert child.parent is not None
    assert child.parent.span_id == root.context.span_id
    assert child.context.span_id != root.context.span_id
    assert (child.start_time, child.end_time) == (1_000, 2_000)
    assert child.attributes is not None
    assert child.attributes["tradewind.correlation_id"] == REQUEST
    assert child.resource.attributes["service.name"] == "order-service"


def test_all_services_keep_the_same_share() -> None:
    gateway, orders = Collected("api-gateway", 0.5), Collected("order-service", 0.5)
    requests = [str(uuid.uuid4()) for _ in range(200)]
    for request in requests:
        gateway.spans.record_root(span("POST", request))
        orders.spans.record(span("apply", request))
    kept = [s.context.trace_id for s in gateway.exporter.get_finished_spans()]
    assert kept == [s.context.trace_id for s in orders.exporter.get_finished_spans()]
    assert 50 < len(kept) < 150


def test_a_correlation_id_that_is_no_uuid_has_a_trace_too() -> None:
    assert trace_id_of("order-7") == trace_id_of("order-7") != trace_id_of("order-8")
    assert 0 < trace_id_of(str(uuid.UUID(int=0))) < 1 << 128


def test_log_lines_carry_the_id_of_the_trace() -> None:
    assert add_trace_id(None, "info", {"correlation_id": REQUEST})["trace_id"] == REQUEST.replace("-", "")
    assert "trace_id" not in add_trace_id(None, "info", {"event": "started"})


def test_a_refused_order_is_an_error_of_its_span() -> None:
    orders = Collected("api-gateway")
    orders.spans.record(Span("send SubmitOrder", REQUEST, 1, 2, "producer", {}, "INSUFFICIENT_FUNDS"))
    (sent,) = orders.exporter.get_finished_spans()
    assert not sent.status.is_ok
    assert sent.status.description == "INSUFFICIENT_FUNDS"


async def test_a_request_is_the_root_under_its_answer_s_id() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        headers = [(b"x-request-id", REQUEST.encode())]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    gateway = Collected("api-gateway")
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v2/orders/7",
        "path_template": "/v2/orders/{order_id}",
    }
    await TracedRequests(app, gateway.spans)(scope, None, send)
    (root,) = gateway.exporter.get_finished_spans()
    assert root.name == "GET /v2/orders/{order_id}"
    assert root.context.trace_id == uuid.UUID(REQUEST).int
    assert not root.status.is_ok
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


def test_tracing_is_off_unless_asked_for() -> None:
    assert open_spans("order-service", Settings()) is NO_SPANS
    assert not NO_SPANS.is_on


def test_tracing_that_is_asked_for_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    spans = open_spans("order-service", Settings(trace_ratio=1.0))
    assert spans.is_on
    spans.close()
