"""One writing session: the shards it owns, and the cycle of reading, applying, committing and telling."""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping

import structlog

from tradewind.domain.commands import CancelOrder, ClosePosition, ReplaceOrder, SubmitOrder
from tradewind.domain.events import OrderSubmitted
from tradewind.domain.identifiers import AccountId, ClientOrderId, OrderId, Symbol
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.venue_reports import VenueReplaceRejected
from tradewind.operations.metrics import BATCH_COMMANDS
from tradewind.ports.errors import BusUnavailable
from tradewind.ports.journal import PreparedWrite, ShardJournal, ShardWrite
from tradewind.ports.messages import SHARD_COUNT, CommandEnvelope, shard_of
from tradewind.services.orders.collaborators import Collaborators
from tradewind.services.orders.inbox import MAX_BATCH_COMMANDS, Batch, Inbox
from tradewind.services.orders.order_spans import Moments
from tradewind.services.orders.shard import Shard, ShardOutcome
from tradewind.services.orders.venue_dispatch import dispatch

TICK_S = 1.0
"""How often the session is kept alive, shards are shared out, prices are told and streams are trimmed."""

_log = structlog.get_logger(__name__)

Closed = list[tuple[Shard, ShardWrite, ShardOutcome]]
"""The shards that a commit writes, with what it writes of each, and what is to be told of it."""


class Tenure:
    """Works the shards that its session owns. `has_committed` tells whether the session ever did its work."""

    def __init__(self, collaborators: Collaborators, journal: ShardJournal) -> None:
        self._with = collaborators
        self._journal = journal
        self._instruments: Mapping[Symbol, Instrument] = {}
        self._shards: dict[int, Shard] = {}
        self._trimmed: dict[int, str] = {}
        self._replicas = 1
        self._wake: Callable[[], None] = _do_nothing
        self._writing: asyncio.Task[Closed] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._unwritten: dict[int, Shard] = {}
        self._unwritten_commands = 0
        self._unwritten_since_ns = 0
        self.has_committed = False

    @property
    def offsets(self) -> dict[int, str]:
        """Of each owned shard, the last command entry that was applied."""
        return {shard.number: shard.offset for shard in self._shards.values()}

    @property
    def problem(self) -> str | None:
        """None when the session owns its share."""
        # The others may own a fair share each: what is left for the last one.
        share = max(SHARD_COUNT - (self._replicas - 1) * _fair_share(self._replicas), 0)
        if len(self._shards) >= share:
            return None
        return f"owns {len(self._shards)} shards, its share is {share}"

    async def serve(self, stop: asyncio.Event) -> None:
        """Own and work shards until `stop`, or until the session fails (then it raises)."""
        inbox = Inbox(self._with.commands, self._with.venue, self._with.new_backoff())
        self._wake = self._with.marks.on_first_price = inbox.wake
        try:
            self._instruments = await self._with.load_instruments()
            await self._tick(inbox)
            next_tick_ns = self._with.clock.now_ns() + int(TICK_S * 1e9)
            while not stop.is_set():
                wait_s = (next_tick_ns - self._with.clock.now_ns()) / 1e9
                if wait_s <= 0:
                    await self._tick(inbox)
                    next_tick_ns = self._with.clock.now_ns() + int(TICK_S * 1e9)
                    continue
                await self._work(await inbox.take(min(wait_s, TICK_S)))
            await self._flush()
        finally:
            await inbox.close()
            await self._abandon()
            await self._with.venue.forget(
                [o.order_id for shard in self._shards.values() for o in shard.open_orders]
            )
            await self._journal.close()
            _log.info("writing session closed", shards=len(self._shards))

    async def _work(self, batch: Batch) -> None:
        """Apply a batch, and write what is applied as soon as nothing else is being written.

        So commands are applied while PostgreSQL works on the ones before, and the busier it is, the more share a
        commit. When a commit fails, the session ends, and what was applied on top of it ends with it.
        """
        if self._with.marks.has_first_prices:
            self._mark_prices()
        if batch.commands or batch.reports:
            await self._look_up_unknown(batch)
            self._apply(batch)
        is_writing = self._writing is not None and not self._writing.done()
        if is_writing and self._unwritten_commands < MAX_BATCH_COMMANDS:
            return
        written = await self._settle()
        # PostgreSQL gets the next batch before the outcome of the last is told: it has work while we tell.
        if self._unwritten:
            self._begin_write()
        if written:
            await self._begin_telling(written)

    async def _flush(self) -> None:
        """Write all that is applied and tell all that is written, and wait for both."""
        for _ in range(2):
            written = await self._settle()
            if written:
                await self._begin_telling(written)
            if self._unwritten:
                self._begin_write()
        await self._end_telling()

    def _begin_write(self) -> None:
        commands = self._unwritten_commands
        BATCH_COMMANDS.observe(commands)
        closed = [
            (shard, *done) for shard in self._unwritten.values() if (done := shard.close_batch()) is not None
        ]
        self._unwritten.clear()
        self._unwritten_commands = 0
        if closed:
            # The rows are copied now, before another command can change them.
            pending = self._journal.prepare([write for _, write, _ in closed])
            write = self._write(pending, closed, self._unwritten_since_ns, commands)
            self._writing = asyncio.create_task(write, name="commit")
            self._writing.add_done_callback(lambda _: self._wake())

    async def _abandon(self) -> None:
        """End what is still under way when the session ends: what it did shows after the next start."""
        under_way = [task for task in (self._writing, self._telling) if task is not None]
        self._writing = self._telling = None
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _settle(self) -> Closed:
        """Wait until nothing is being written; returns what was, or raises what made it fail."""
        writing, self._writing = self._writing, None
        return [] if writing is None else await writing

    async def _write(self, pending: PreparedWrite, closed: Closed, started_ns: int, commands: int) -> Closed:
        await self._journal.commit(pending)
        self.has_committed = True
        self._with.metrics.committed((self._with.clock.now_ns() - started_ns) / 1e9, commands)
        for shard, write, _ in closed:
            shard.committed_seq = write.last_seq
        return closed

    async def _begin_telling(self, closed: Closed) -> None:
        """Tell what a commit made known, after what the commit before it made known."""
        await self._end_telling()
        self._telling = asyncio.create_task(self._tell(closed), name="tell")

    async def _end_telling(self) -> None:
        telling, self._telling = self._telling, None
        if telling is not None:
            await telling

    async def _tell(self, closed: Closed) -> None:
        log = _log.bind()  # looks its configuration up once, not for each event
        now_ns = self._with.clock.now_ns
        moments = Moments(now_ns(), 0, 0)
        await self._with.announcer.announce([(shard, outcome) for shard, _, outcome in closed])
        moments.announced_ns = now_ns()
        for shard, _, outcome in closed:
            await dispatch(outcome.events, shard.core.state.orders, self._with.venue)
            moments.dispatched_ns = now_ns()
            took_s = (moments.dispatched_ns - moments.committed_ns) / 1e9
            self._with.metrics.dispatched(took_s, sum(type(e) is OrderSubmitted for e in outcome.events))
            self._with.metrics.told(outcome)
            self._with.spans.told(outcome.published, moments)
            for published in outcome.published:
                log.debug(
                    "event committed",
                    correlation_id=published.correlation_id,
                    kind=type(published.event).__name__,
                    order_id=getattr(published.event, "order_id", None),
                    shard=published.shard,
                    seq=published.seq,
                )

    def _apply(self, batch: Batch) -> None:
        now_ns = self._with.clock.now_ns()
        if not self._unwritten:
            self._unwritten_since_ns = now_ns
        for entry in batch.commands:
            shard = self._shards.get(entry.shard)
            if shard is not None:
                shard.apply_commands(entry.envelopes, entry.offset, now_ns)
                self._unwritten[shard.number] = shard
                self._unwritten_commands += len(entry.envelopes)
                self._with.metrics.applied(entry, now_ns)
        for report in batch.reports:
            shard = self._shards.get(shard_of(report.account_id))
            if shard is not None:
                shard.apply_report(report, now_ns)
                self._unwritten[shard.number] = shard
                self._unwritten_commands += 1

    async def _look_up_unknown(self, batch: Batch) -> None:
        """Bring closed orders that commands name, and that are not in memory, back from the tables."""
        client_ids: set[tuple[AccountId, ClientOrderId]] = set()
        order_ids: set[OrderId] = set()
        for entry in batch.commands:
            shard = self._shards.get(entry.shard)
            if shard is not None and not shard.core.state.remembers_all_orders:
                _collect_unknown(entry.envelopes, shard, client_ids, order_ids)
        for report in batch.reports:
            # A refused replacement ends the new order also when the old one is closed and forgotten.
            if isinstance(report, VenueReplaceRejected):
                shard = self._shards.get(shard_of(report.account_id))
                if shard is not None and report.order_id not in shard.core.state.orders:
                    order_ids.add(report.order_id)
        if not client_ids and not order_ids:
            return
        for order in await self._journal.find_orders(client_ids, order_ids):
            shard = self._shards.get(shard_of(order.account_id))
            if shard is not None:
                shard.remember([order])

    async def _tick(self, inbox: Inbox) -> None:
        await self._flush()
        replicas = await self._journal.heartbeat()
        await self._share_out(inbox, replicas)
        self._mark_prices()
        if self._with.announcer.is_behind(self._shards.values()):
            await self._with.announcer.catch_up(self._journal, self._shards.values())
        await self._trim()
        self._with.metrics.ticked(self._shards, inbox.waiting_commands, inbox.waiting_reports)

    def _mark_prices(self) -> None:
        changed = self._with.marks.take_changes()
        now_ns = self._with.clock.now_ns()
        for shard in self._shards.values() if changed else ():
            shard.mark_prices(changed, now_ns)

    async def _share_out(self, inbox: Inbox, replicas: int) -> None:
        """Own a fair share: give up what is too much, claim what is free."""
        self._replicas = max(replicas, 1)
        fair_share = _fair_share(self._replicas)
        surplus = sorted(self._shards)[fair_share:]
        if surplus:
            await self._release(surplus)
        missing = fair_share - len(self._shards)
        gained = await self._claim(missing) if missing > 0 else []
        if surplus or gained:
            await inbox.follow({shard.number: shard.offset for shard in self._shards.values()})
            _log.info("shards shared out", owned=sorted(self._shards), replicas=replicas)

    async def _claim(self, count: int) -> list[Shard]:
        gained: list[Shard] = []
        for number in range(SHARD_COUNT):
            if number in self._shards or len(gained) == count:
                continue
            if number in await self._journal.claim([number]):
                shard = await self._load(number)
                self._shards[number] = shard
                gained.append(shard)
                await self._with.venue.reconcile(shard.open_orders)
        await self._with.announcer.catch_up(self._journal, gained)
        return gained

    async def _release(self, numbers: Iterable[int]) -> None:
        released = [self._shards.pop(number) for number in numbers]
        await self._with.venue.forget([order.order_id for shard in released for order in shard.open_orders])
        await self._journal.release([shard.number for shard in released])

    async def _load(self, number: int) -> Shard:
        shard = Shard(await self._journal.load(number), self._instruments, self._with.limits)
        shard.mark_prices(self._with.marks.prices, self._with.clock.now_ns())
        return shard

    async def _trim(self) -> None:
        offsets = {
            shard.number: shard.offset
            for shard in self._shards.values()
            if self._trimmed.get(shard.number) != shard.offset
        }
        if not offsets:
            return
        try:
            await self._with.commands.forget(offsets)
            self._trimmed.update(offsets)
        except BusUnavailable as error:
            _log.debug("streams not trimmed", reason=str(error))


def _fair_share(replicas: int) -> int:
    return math.ceil(SHARD_COUNT / replicas)


def _do_nothing() -> None:
    """Before the session serves there is nobody to wake."""


def _collect_unknown(
    envelopes: Iterable[CommandEnvelope],
    shard: Shard,
    client_ids: set[tuple[AccountId, ClientOrderId]],
    order_ids: set[OrderId],
) -> None:
    state = shard.core.state
    for envelope in envelopes:
        command = envelope.command
        if isinstance(command, SubmitOrder | ClosePosition | ReplaceOrder):
            key = (command.account_id, command.client_order_id)
            new_id = command.new_order_id if isinstance(command, ReplaceOrder) else command.order_id
            # An id that was made up with the order cannot have been used before.
            if key not in state.order_ids and command.client_order_id != new_id:
                client_ids.add(key)
        if isinstance(command, CancelOrder | ReplaceOrder) and command.order_id not in state.orders:
            order_ids.add(command.order_id)
