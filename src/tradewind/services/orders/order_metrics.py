"""Counts what the order service did: once a batch, with the children of all labels found in advance."""

from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client import Counter as Child

from tradewind.domain.events import CommandRefused, Event, OrderAcknowledged, OrderExecuted, OrderRejected
from tradewind.domain.reject_codes import RejectCode
from tradewind.operations.metrics import (
    BATCH_SECONDS,
    COMMANDS,
    EVENTS_UNPUBLISHED,
    EXECUTIONS,
    INBOX_COMMANDS,
    INBOX_REPORTS,
    OPEN_ORDERS,
    ORDER_EVENTS,
    ORDER_STAGE_SECONDS,
    REJECTS,
    SHARD_OWNED,
    SHARDS_OWNED,
)
from tradewind.ports.bus import CommandBatch
from tradewind.ports.messages import SHARD_COUNT, PublishedEvent
from tradewind.services.orders.shard import Shard, ShardOutcome

REJECTED_BY_VENUE = "VENUE"
"""The value of `reason` for orders that the venue did not take."""

_NS_PER_S = 1e9


class OrderMetrics:
    """The metrics of one process's order service."""

    def __init__(self) -> None:
        self._queue = ORDER_STAGE_SECONDS.stage("queue")
        self._commit = ORDER_STAGE_SECONDS.stage("commit")
        self._venue_send = ORDER_STAGE_SECONDS.stage("venue_send")
        self._venue_answer = ORDER_STAGE_SECONDS.stage("venue_answer")
        # `labels` takes longer than counting: a child is looked up once.
        self._commands: dict[tuple[str, str], Child] = {}
        self._events: dict[type, Child] = {}
        self._rejects: dict[str, Child] = {}
        self._shards = [SHARD_OWNED.labels(shard=str(shard)) for shard in range(SHARD_COUNT)]

    def applied(self, entry: CommandBatch, now_ns: int) -> None:
        """The commands of an entry were applied."""
        observe = self._queue.observe
        for envelope in entry.envelopes:
            observe((now_ns - envelope.received_ns) / _NS_PER_S)

    def committed(self, took_s: float, commands: int) -> None:
        """A batch was written, `took_s` after its first command was read."""
        BATCH_SECONDS.observe(took_s)
        if commands:
            self._commit.observe(took_s, commands)

    def dispatched(self, took_s: float, submissions: int) -> None:
        """Orders went to the venue, `took_s` after their commit."""
        if submissions:
            self._venue_send.observe(took_s, submissions)

    def told(self, outcome: ShardOutcome) -> None:
        """What became of a shard's commands and reports is known to others."""
        for (command, result), count in Counter(outcome.counts).items():
            self._count_command(command, result, count)
        kinds = Counter(map(type, outcome.events))
        for kind, count in kinds.items():
            child = self._events.get(kind)
            if child is None:
                child = self._events[kind] = ORDER_EVENTS.labels(event=kind.__name__)
            child.inc(count)
        EXECUTIONS.inc(kinds[OrderExecuted])
        if kinds[OrderRejected]:
            self._count_reject(REJECTED_BY_VENUE, kinds[OrderRejected])
        if kinds[CommandRefused]:
            self._count_refusals(outcome.events)
        if kinds[OrderAcknowledged]:
            self._observe_venue(outcome.published)

    def ticked(self, shards: Mapping[int, Shard], waiting_commands: int, waiting_reports: int) -> None:
        """A second has passed."""
        SHARDS_OWNED.set(len(shards))
        for number, child in enumerate(self._shards):
            child.set(number in shards)
        OPEN_ORDERS.set(sum(shard.open_order_count for shard in shards.values()))
        EVENTS_UNPUBLISHED.set(_unpublished(shards.values()))
        INBOX_COMMANDS.set(waiting_commands)
        INBOX_REPORTS.set(waiting_reports)

    def ended(self) -> None:
        """The session is over: no shard is owned."""
        self.ticked({}, 0, 0)

    def _count_command(self, command: str, result: str, count: int) -> None:
        child = self._commands.get((command, result))
        if child is None:
            child = self._commands[command, result] = COMMANDS.labels(command=command, outcome=result)
        child.inc(count)
        if result == "expired":
            self._count_reject(RejectCode.DEADLINE_PASSED.name, count)

    def _count_refusals(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, CommandRefused):
                self._count_reject(event.refusal.code.name, 1)

    def _observe_venue(self, events: Iterable[PublishedEvent]) -> None:
        for published in events:
            if type(published.event) is OrderAcknowledged and published.order is not None:
                waited_ns = published.ts_ns - published.order.submitted_at_ns
                self._venue_answer.observe(waited_ns / _NS_PER_S)

    def _count_reject(self, reason: str, count: int) -> None:
        child = self._rejects.get(reason)
        if child is None:
            child = self._rejects[reason] = REJECTS.labels(reason=reason)
        child.inc(count)


def _unpublished(shards: Iterable[Shard]) -> int:
    return sum(shard.committed_seq - shard.published_seq for shard in shards)
