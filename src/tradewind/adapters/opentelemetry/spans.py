"""Sends spans with OpenTelemetry's SDK over OTLP. Where to, and how, is said by the `OTEL_*` variables."""

import hashlib
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace import SpanKind as OtelKind
from opentelemetry.util.types import Attributes

from tradewind.operations.tracing import Span, root_span_id_of, trace_id_of

CORRELATION_ID = "tradewind.correlation_id"
"""The attribute by which a span is found from a log line."""

_KINDS = {
    "server": OtelKind.SERVER,
    "client": OtelKind.CLIENT,
    "producer": OtelKind.PRODUCER,
    "consumer": OtelKind.CONSUMER,
    "internal": OtelKind.INTERNAL,
}


def open_recorder(service: str, version: str, ratio: float) -> "OpenTelemetrySpans":
    """A recorder that keeps the share `ratio` of the traces, all services the same ones, and sends them."""
    ids = ChosenIds()
    provider = new_provider(service, version, ratio, ids)
    # Bounded: 2,048 spans wait at most (OTEL_BSP_MAX_QUEUE_SIZE), more are dropped and the service goes on.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OpenTelemetrySpans(provider, ids)


def new_provider(service: str, version: str, ratio: float, ids: "ChosenIds") -> TracerProvider:
    """A provider that sends its spans nowhere yet."""
    return TracerProvider(
        sampler=SameShare(ratio),
        resource=Resource.create({"service.name": service, "service.version": version}),
        id_generator=ids,
        shutdown_on_exit=False,
    )


class SameShare(Sampler):
    """Keeps a share of the traces, by their id alone: every service keeps the same ones.

    The SDK's sampler looks at bits that are the same in all UUIDs.
    """

    def __init__(self, ratio: float) -> None:
        self._bound = int(ratio * (1 << 64))

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: OtelKind | None = None,
        attributes: Attributes = None,
        *_: Any,
        **__: Any,
    ) -> SamplingResult:
        """Called by the SDK for every span."""
        number = int.from_bytes(hashlib.blake2b(trace_id.to_bytes(16), digest_size=8).digest())
        decision = Decision.RECORD_AND_SAMPLE if number < self._bound else Decision.DROP
        return SamplingResult(decision, attributes)

    def get_description(self) -> str:
        """For the SDK's logs."""
        return f"SameShare({self._bound / (1 << 64):g})"


class ChosenIds(RandomIdGenerator):
    """Random ids, but those of a root span follow from its correlation id."""

    def __init__(self) -> None:
        self.root: str | None = None
        """The correlation id of the root span that is being made."""

    def generate_trace_id(self) -> int:
        """Called by the SDK for a span without a parent."""
        return super().generate_trace_id() if self.root is None else trace_id_of(self.root)

    def generate_span_id(self) -> int:
        """Called by the SDK for every span."""
        return super().generate_span_id() if self.root is None else root_span_id_of(self.root)


class OpenTelemetrySpans:
    """`operations.tracing.SpanRecorder`; used from the event loop's thread alone."""

    is_on = True

    def __init__(self, provider: TracerProvider, ids: ChosenIds) -> None:
        self._provider = provider
        self._ids = ids
        self._tracer: Tracer = provider.get_tracer("tradewind")

    def record_root(self, span: Span) -> None:
        """Keep the span that all others of its trace lie in."""
        self._ids.root = span.correlation_id
        try:
            self._record(span, Context())
        finally:
            self._ids.root = None

    def record(self, span: Span) -> None:
        """Keep a span within the root of its trace."""
        root = SpanContext(
            trace_id_of(span.correlation_id),
            root_span_id_of(span.correlation_id),
            is_remote=True,
            trace_flags=TraceFlags(TraceFlags.SAMPLED),
        )
        self._record(span, set_span_in_context(NonRecordingSpan(root), Context()))

    def close(self) -> None:
        """Send what is kept."""
        self._provider.shutdown()

    def _record(self, span: Span, context: Context) -> None:
        recorded = self._tracer.start_span(
            span.name,
            context,
            _KINDS[span.kind],
            {**span.attributes, CORRELATION_ID: span.correlation_id},
            start_time=span.started_ns,
        )
        if span.error is not None:
            recorded.set_status(Status(StatusCode.ERROR, span.error))
        recorded.end(span.ended_ns)
