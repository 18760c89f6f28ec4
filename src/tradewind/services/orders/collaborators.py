"""What the order service works with, put together by its entrypoint."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.risk.limits import RiskLimits
from tradewind.operations.backoff import Backoff
from tradewind.operations.tracing import NO_SPANS
from tradewind.ports.bus import CommandSource
from tradewind.ports.clock import Clock
from tradewind.ports.journal import ShardJournal
from tradewind.ports.venue import Venue
from tradewind.services.orders.announcer import Announcer
from tradewind.services.orders.marks import MarkPriceBoard
from tradewind.services.orders.order_metrics import OrderMetrics
from tradewind.services.orders.order_spans import OrderSpans


@dataclass(frozen=True, kw_only=True)
class Collaborators:
    """`open_journal` opens a writing session, `load_instruments` reads what can be traded."""

    open_journal: Callable[[], Awaitable[ShardJournal]]
    load_instruments: Callable[[], Awaitable[Mapping[Symbol, Instrument]]]
    commands: CommandSource
    announcer: Announcer
    venue: Venue
    marks: MarkPriceBoard
    limits: RiskLimits
    clock: Clock
    new_backoff: Callable[[], Backoff]
    metrics: OrderMetrics = field(default_factory=OrderMetrics)
    spans: OrderSpans = field(default_factory=lambda: OrderSpans(NO_SPANS, ""))
