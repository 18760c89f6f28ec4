"""Every Prometheus metric of the platform, defined once, here, in the registry of this module.

Import the metric and use it; nobody else creates metrics, so a name never means two things. A service
exports the whole list; what it does not use stays at zero or (with labels) absent. In a hot loop resolve the
labels once:

    from tradewind.operations.metrics import BATCH_SECONDS, COMMANDS

    _accepted_submits = COMMANDS.labels(command="SubmitOrder", outcome="accepted")
    _accepted_submits.inc()
    with BATCH_SECONDS.time():
        ...

Labels take their values from small fixed sets (a route's pattern, never its path; never a symbol or an id).
In a test read a metric with `REGISTRY.get_sample_value("tradewind_commands_total", {...})` before and after.
"""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from tradewind.operations.stage_histogram import StageHistogram

REGISTRY = CollectorRegistry()
"""Not the library's global registry: importing this module twice gives two registries instead of an error."""

METRICS_CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

LATENCY_BUCKETS_S = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds of latency histograms, seconds."""

SIZE_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
"""Upper bounds of histograms of batch sizes."""

BUILD_INFO = Gauge(
    "tradewind_build_info", "Always 1; its labels say what runs.", ["service", "version"], registry=REGISTRY
)
DEPENDENCY_RECONNECTS = Counter(
    "tradewind_dependency_reconnects",
    "Attempts to reach a lost dependency again (`postgres`, `redis`).",
    ["dependency"],
    registry=REGISTRY,
)

CHECK_UP = Gauge(
    "tradewind_check_up",
    "1 when a check of this process passed the last time (`postgres`, `redis`, `shards`, ...), else 0.",
    ["check"],
    registry=REGISTRY,
)
CHECK_SECONDS = Gauge(
    "tradewind_check_seconds", "How long the last check took.", ["check"], registry=REGISTRY
)
EVENT_LOOP_LAG = Gauge(
    "tradewind_event_loop_lag_seconds",
    "How late the process's event loop ran a timer, the worst of the last seconds.",
    registry=REGISTRY,
)
DISK_FREE = Gauge(
    "tradewind_disk_free_bytes",
    "Free space of the disk that this process works on (in a container, that of the host's containers).",
    registry=REGISTRY,
)
DISK_TOTAL = Gauge("tradewind_disk_total_bytes", "Size of that disk.", registry=REGISTRY)

# -- The life of an order, measured where each stage ends
ORDER_STAGE_SECONDS = StageHistogram(
    "tradewind_order_stage_seconds",
    "Time of each stage of an order's life. queue: arrival at the gateway to application by the order service; "
    "commit: application to commit, the reports of the venue too; venue_send: commit to the venue; venue_answer: application to the application "
    "of the venue's acknowledgement; client_update: application of an event to its hand-over to a WebSocket client.",
    ("queue", "commit", "venue_send", "venue_answer", "client_update"),
    LATENCY_BUCKETS_S,
    REGISTRY,
)
ORDER_EVENTS = Counter(
    "tradewind_order_events", "Committed events by type (OrderSubmitted, ...).", ["event"], registry=REGISTRY
)
REJECTS = Counter(
    "tradewind_rejects",
    "Commands refused by the order service, by the name of the reject code; VENUE: rejected by the venue.",
    ["reason"],
    registry=REGISTRY,
)

# -- Services that answer HTTP
HTTP_REQUESTS = Counter(
    "tradewind_http_requests",
    "Requests answered, by route pattern and status code.",
    ["route", "status"],
    registry=REGISTRY,
)
HTTP_REQUEST_SECONDS = Histogram(
    "tradewind_http_request_seconds",
    "Time from a request's arrival to its answer.",
    ["route"],
    buckets=LATENCY_BUCKETS_S,
    registry=REGISTRY,
)
COMMANDS_WAITING = Gauge(
    "tradewind_commands_waiting",
    "Commands sent by this gateway that wait for their reply.",
    registry=REGISTRY,
)
COMMANDS_OVERDUE = Counter(
    "tradewind_commands_overdue", "Commands whose reply did not come in time.", registry=REGISTRY
)

# -- Order service
COMMANDS = Counter(
    "tradewind_commands",
    "Commands by type (SubmitOrder, ...) and outcome (accepted, refused, repeated, expired).",
    ["command", "outcome"],
    registry=REGISTRY,
)
BATCH_SECONDS = Histogram(
    "tradewind_batch_seconds",
    "Time from reading a batch of commands to its commit.",
    buckets=LATENCY_BUCKETS_S,
    registry=REGISTRY,
)
BATCH_COMMANDS = Histogram(
    "tradewind_batch_commands", "Commands in one batch.", buckets=SIZE_BUCKETS, registry=REGISTRY
)
SHARDS_OWNED = Gauge("tradewind_shards_owned", "Shards that this replica writes.", registry=REGISTRY)
SHARD_OWNED = Gauge(
    "tradewind_shard_owned",
    "1 for each shard that this replica writes, else 0.",
    ["shard"],
    registry=REGISTRY,
)
INBOX_COMMANDS = Gauge(
    "tradewind_inbox_commands", "Commands read ahead that wait to be applied.", registry=REGISTRY
)
INBOX_REPORTS = Gauge(
    "tradewind_inbox_reports", "Reports of the venue that wait to be applied.", registry=REGISTRY
)
STREAM_LAG = Gauge(
    "tradewind_stream_lag_seconds",
    "Age of the oldest command in Redis that this replica has not applied, over its shards; 0 when there is none.",
    registry=REGISTRY,
)
EVENTS_UNPUBLISHED = Gauge(
    "tradewind_events_unpublished", "Committed events that are not surely published.", registry=REGISTRY
)
EVENTS_PUBLISHED = Counter(
    "tradewind_events_published", "Committed events handed to the bus.", registry=REGISTRY
)
EXECUTIONS = Counter("tradewind_executions", "Executions booked.", registry=REGISTRY)
OPEN_ORDERS = Gauge("tradewind_open_orders", "Open orders in the owned shards.", registry=REGISTRY)

# -- WebSocket service
WEBSOCKET_CLIENTS = Gauge("tradewind_websocket_clients", "Clients connected now.", registry=REGISTRY)
WEBSOCKET_MESSAGES = Counter("tradewind_websocket_messages", "Messages sent to clients.", registry=REGISTRY)
WEBSOCKET_CUTS = Counter(
    "tradewind_websocket_cuts",
    "Clients that this service disconnected, by reason.",
    ["reason"],
    registry=REGISTRY,
)

WEBSOCKET_QUEUED_BYTES = Gauge(
    "tradewind_websocket_queued_bytes", "Bytes that wait for slow clients, all together.", registry=REGISTRY
)
ORDER_EVENTS_BEHIND = Gauge(
    "tradewind_order_events_behind",
    "Events in the journal that this WebSocket replica has not taken yet.",
    registry=REGISTRY,
)

# -- Strategy service
FEED_EVENTS = Counter(
    "tradewind_feed_events",
    "Market data published, by kind (quote, trade, bar).",
    ["kind"],
    registry=REGISTRY,
)
FEED_LEASE_HELD = Gauge("tradewind_feed_lease_held", "1 while this replica runs the feed.", registry=REGISTRY)
FEED_LAST_EVENT_AGE = Gauge(
    "tradewind_feed_last_event_age_seconds",
    "Time since the feed last gave events; NaN on a replica that does not run it.",
    registry=REGISTRY,
)
BARS_SPOOLED = Gauge(
    "tradewind_bars_spooled", "Finished bars that wait for the bar store.", registry=REGISTRY
)
BARS_DROPPED = Counter(
    "tradewind_bars_dropped", "Bars lost because the bar store was away for too long.", registry=REGISTRY
)
BAR_SPOOL_BYTES = Gauge(
    "tradewind_bar_spool_bytes",
    "Size on disk of the finished bars that wait for the bar store.",
    registry=REGISTRY,
)
BARS_BEYOND_RETENTION = Counter(
    "tradewind_bars_beyond_retention",
    "Bars that the bar store did not take because they are older than it keeps them.",
    registry=REGISTRY,
)
BARS_STORED = Counter("tradewind_bars_stored", "Bars written to the bar store.", registry=REGISTRY)
STRATEGY_ORDERS = Counter(
    "tradewind_strategy_orders", "Orders that the strategy sent, by outcome.", ["outcome"], registry=REGISTRY
)

# -- The servers behind the services
REDIS_MEMORY = Gauge("tradewind_redis_memory_bytes", "Memory that Redis uses.", registry=REGISTRY)
REDIS_MEMORY_MAX = Gauge(
    "tradewind_redis_memory_max_bytes", "Redis's `maxmemory`; 0 without a limit.", registry=REGISTRY
)
REDIS_CLIENTS = Gauge("tradewind_redis_clients", "Connections that Redis serves.", registry=REGISTRY)
REDIS_EVICTED = Gauge(
    "tradewind_redis_evicted_keys",
    "Keys that Redis dropped for lack of memory since it started.",
    registry=REGISTRY,
)
STREAM_ENTRIES = Gauge(
    "tradewind_stream_entries",
    "Entries in Redis, of all command streams (`commands`) and of the event stream (`events`).",
    ["stream"],
    registry=REGISTRY,
)
POSTGRES_CONNECTIONS = Gauge(
    "tradewind_postgres_connections", "Connections of clients to PostgreSQL.", registry=REGISTRY
)
POSTGRES_CONNECTIONS_MAX = Gauge(
    "tradewind_postgres_connections_max", "PostgreSQL's `max_connections`.", registry=REGISTRY
)
POSTGRES_DATABASE_BYTES = Gauge(
    "tradewind_postgres_database_bytes", "Size of the database.", registry=REGISTRY
)
POSTGRES_OLDEST_TRANSACTION = Gauge(
    "tradewind_postgres_oldest_transaction_seconds", "Age of the oldest open transaction.", registry=REGISTRY
)
POSTGRES_DEADLOCKS = Gauge(
    "tradewind_postgres_deadlocks", "Deadlocks since PostgreSQL's statistics began.", registry=REGISTRY
)
LEDGER_UNBALANCED = Gauge(
    "tradewind_ledger_unbalanced_events",
    "Events whose ledger lines do not sum to zero, found since this process started.",
    registry=REGISTRY,
)
LEDGER_CHECKED = Counter(
    "tradewind_ledger_checked_events", "Events whose ledger lines were added up.", registry=REGISTRY
)
LEDGER_LAST_CHECK = Gauge(
    "tradewind_ledger_last_check_timestamp_seconds",
    "When ledger lines were last added up.",
    registry=REGISTRY,
)


def describe_process(service: str, version: str) -> None:
    """Export what runs here, and the process's memory, CPU and garbage collection."""
    BUILD_INFO.labels(service=service, version=version).set(1)
    _add_process_collectors()


def render_metrics() -> bytes:
    """All metrics in Prometheus' text format, `METRICS_CONTENT_TYPE`."""
    return generate_latest(REGISTRY)


@cache
def _add_process_collectors() -> None:
    ProcessCollector(registry=REGISTRY)
    PlatformCollector(registry=REGISTRY)
    GCCollector(registry=REGISTRY)
