"""Traces of orders across the services, without a word about it on the wire.

A trace's id follows from the correlation id that every command and event carries anyway: each service records its spans by
itself, and the collector puts them together. Spans are recorded when they are over.

    spans.record(Span("commit", correlation_id, started_ns, ended_ns))

Where tracing is off, `spans` is `NO_SPANS`; who would do work for a span asks `spans.is_on` first.
"""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import msgspec
from structlog.typing import EventDict, WrappedLogger

SpanKind = Literal["server", "client", "producer", "consumer", "internal"]


class Span(msgspec.Struct, frozen=True):
    """Something that took time for the sake of a request. Times are nanoseconds since the epoch."""

    name: str
    correlation_id: str
    started_ns: int
    ended_ns: int
    kind: SpanKind = "internal"
    attributes: Mapping[str, str | int] = {}
    error: str | None = None
    """What went wrong, if something did."""


class SpanRecorder(Protocol):
    """Takes spans."""

    @property
    def is_on(self) -> bool:
        """Whether it keeps any."""
        ...

    def record_root(self, span: Span) -> None:
        """Keep the span that all others of its trace lie in."""
        ...

    def record(self, span: Span) -> None:
        """Keep a span within the root of its trace."""
        ...

    def close(self) -> None:
        """Send what is kept, within a bound; blocks meanwhile."""
        ...


class NoSpans:
    """Keeps none."""

    is_on = False

    def record_root(self, span: Span) -> None:
        """Nothing."""

    def record(self, span: Span) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


NO_SPANS = NoSpans()


def trace_id_of(correlation_id: str) -> int:
    """128 bits: those of the id when it is a UUID (so the trace id is the id without its dashes), else its hash."""
    try:
        number = uuid.UUID(correlation_id).int
    except ValueError:
        number = 0
    return number or int.from_bytes(_hash(correlation_id, 16))


def root_span_id_of(correlation_id: str) -> int:
    """64 bits, never zero."""
    return int.from_bytes(_hash(correlation_id, 8)) or 1


def add_trace_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Log processor: the trace of the line's correlation id, as collectors write it."""
    correlation_id: Any = event.get("correlation_id")
    if isinstance(correlation_id, str):
        event["trace_id"] = f"{trace_id_of(correlation_id):032x}"
    return event


def _hash(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=size).digest()
