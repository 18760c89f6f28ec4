"""The order service's part of an order's trace: what it applied and committed, told, and sent to the venue."""

from collections.abc import Iterable

import msgspec

from tradewind.domain.events import OrderCancelRequested, OrderReplaceRequested, OrderSubmitted
from tradewind.domain.identifiers import OrderId
from tradewind.operations.tracing import Span, SpanRecorder
from tradewind.ports.messages import PublishedEvent

ORDERS_AT_VENUE_MAX = 10_000
"""Orders whose way to the venue is remembered until its first answer; beyond it the oldest are forgotten."""

_ASKS_VENUE = (OrderSubmitted, OrderReplaceRequested, OrderCancelRequested)


class Moments(msgspec.Struct):
    """When the steps that follow a commit were done, nanoseconds since the epoch."""

    committed_ns: int
    announced_ns: int
    dispatched_ns: int


class OrderSpans:
    """Records the spans of committed events."""

    def __init__(self, spans: SpanRecorder, venue: str) -> None:
        self._spans = spans
        self._venue = venue
        self._at_venue: dict[OrderId, int] = {}

    def told(self, events: Iterable[PublishedEvent], moments: Moments) -> None:
        """The events of one commit were told to everybody."""
        if self._spans.is_on:
            for published in events:
                self._record(published, moments)

    def _record(self, published: PublishedEvent, moments: Moments) -> None:
        event = published.event
        kind = type(event).__name__
        order_id: OrderId | None = getattr(event, "order_id", None)
        place: dict[str, str | int] = {"tradewind.shard": published.shard, "tradewind.seq": published.seq}
        if order_id is not None:
            place["tradewind.order_id"] = order_id
        id_ = published.correlation_id
        record = self._spans.record
        self._record_venue_answer(order_id, published, place)
        record(Span(f"apply {kind}", id_, published.ts_ns, moments.committed_ns, "consumer", place))
        record(Span(f"publish {kind}", id_, moments.committed_ns, moments.announced_ns, "producer", place))
        if isinstance(event, _ASKS_VENUE):
            at_venue = place | {"peer.service": self._venue}
            record(
                Span(f"dispatch {kind}", id_, moments.announced_ns, moments.dispatched_ns, "client", at_venue)
            )
            if order_id is not None:
                self._remember(order_id, moments.dispatched_ns)

    def _record_venue_answer(
        self, order_id: OrderId | None, published: PublishedEvent, place: dict[str, str | int]
    ) -> None:
        sent_ns = self._at_venue.pop(order_id, None) if order_id is not None else None
        if sent_ns is None:
            return
        name = f"venue until {type(published.event).__name__}"
        ended_ns = max(published.ts_ns, sent_ns)
        attributes = place | {"peer.service": self._venue}
        self._spans.record(Span(name, published.correlation_id, sent_ns, ended_ns, "client", attributes))

    def _remember(self, order_id: OrderId, dispatched_ns: int) -> None:
        self._at_venue[order_id] = dispatched_ns
        if len(self._at_venue) > ORDERS_AT_VENUE_MAX:
            del self._at_venue[next(iter(self._at_venue))]
