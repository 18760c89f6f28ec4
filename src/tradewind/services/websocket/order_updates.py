"""Follows committed order events and tells the accounts' clients, each event once and in order.

Events come over the bus, which may lose or repeat some. What is missing is read from the journal: at once when a
later event shows the gap, and within two polls when the bus is silent although the journal grew.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from tradewind.domain.identifiers import Shard
from tradewind.operations.backoff import Backoff
from tradewind.operations.logging import get_logger
from tradewind.operations.metrics import DEPENDENCY_RECONNECTS, ORDER_EVENTS_BEHIND, ORDER_STAGE_SECONDS
from tradewind.operations.tracing import NO_SPANS, Span, SpanRecorder
from tradewind.ports.bus import OrderEventSource
from tradewind.ports.errors import BusUnavailable, StoreUnavailable
from tradewind.ports.messages import EventNotice, PublishedEvent
from tradewind.ports.stream_formats import TradeUpdateFormat
from tradewind.services.websocket.frames import server_frame
from tradewind.services.websocket.instruments import InstrumentCatalogue
from tradewind.services.websocket.journal_history import JournalHistory
from tradewind.services.websocket.shard_sequence import ShardSequence
from tradewind.services.websocket.trade_updates import trade_updates
from tradewind.services.websocket.trading_stream import OPCODE, TradingHub

POLL_INTERVAL_S = 1.0
"""How often the journal's heads are looked at."""
FETCH_ENTRIES_MAX = 500
"""Journal entries read at a time."""
BUS_GRACE_S = 5.0
"""The bus counts as lost when a read takes this much longer than it should."""

_log = get_logger(__name__)


class UpdateSender:
    """Writes an event's updates once and sends them to all who listen to its account."""

    def __init__(
        self,
        hub: TradingHub,
        instruments: InstrumentCatalogue,
        encode: TradeUpdateFormat,
        spans: SpanRecorder = NO_SPANS,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._hub = hub
        self._instruments = instruments
        self._encode = encode
        self._spans = spans
        self._now_ns = now_ns
        self._client_update = ORDER_STAGE_SECONDS.stage("client_update")

    async def send(self, notice: EventNotice) -> None:
        """Tell the clients. Raises `StoreUnavailable`, before anything is sent."""
        if not self._hub.has_listeners(notice.account_id):
            return
        try:
            published = notice.open()
        except msgspec.MsgspecError as error:
            _log.error("event cannot be read", shard=notice.shard, seq=notice.seq, error=str(error))
            return
        began_ns = self._now_ns()
        frames = []
        for update in trade_updates(published):
            instrument = await self._instruments.find(update.order.symbol)
            if instrument is None:
                _log.error("order of an unknown instrument", symbol=update.order.symbol)
                return
            frames.append(server_frame(OPCODE, self._encode(update, instrument)))
        for frame in frames:
            self._hub.send_frame(notice.account_id, frame)
        if frames:
            self._sent(published, began_ns, self._now_ns())
        _log.debug(
            "updates sent", correlation_id=published.correlation_id, seq=published.seq, count=len(frames)
        )

    def _sent(self, published: PublishedEvent, began_ns: int, ended_ns: int) -> None:
        self._client_update.observe((ended_ns - published.ts_ns) / 1e9)
        if self._spans.is_on:
            name = f"send update {type(published.event).__name__}"
            place = {"tradewind.shard": published.shard, "tradewind.seq": published.seq}
            self._spans.record(Span(name, published.correlation_id, began_ns, ended_ns, "producer", place))


class OrderUpdateFollower:
    """Follows every shard from the moment it starts. One task runs it; what it does, it does one after another."""

    def __init__(
        self,
        source: OrderEventSource,
        history: JournalHistory,
        sender: UpdateSender,
        backoff: Backoff,
        monotonic_s: Callable[[], float],
        poll_interval_s: float = POLL_INTERVAL_S,
    ) -> None:
        self._source = source
        self._history = history
        self._sender = sender
        self._backoff = backoff
        self._monotonic_s = monotonic_s
        self._poll_interval_s = poll_interval_s
        self._next_poll_s = monotonic_s()
        self._sequences: dict[Shard, ShardSequence] = {}
        self._former_heads: Mapping[Shard, int] = {}

    @property
    def is_following(self) -> bool:
        """Whether it knows where it began: from then on nothing is missed."""
        return bool(self._sequences)

    async def run(self) -> None:
        """Follow until cancelled; outages of bus and store are waited out."""
        while True:
            try:
                await self._step()
            except StoreUnavailable as error:
                await self._wait_out("postgres", error)
            except BusUnavailable as error:
                await self._wait_out("redis", error)
            else:
                self._backoff.reset()

    async def _step(self) -> None:
        if self._monotonic_s() >= self._next_poll_s:
            await self._poll()
        for event in await self._read_bus():
            if event.shard in self._sequences:
                self._sequences[event.shard].offer(event)
        for shard, sequence in self._sequences.items():
            await self._tell_ready(sequence)
            if sequence.missing_count:
                await self._read_journal(shard, sequence.last_seq + sequence.missing_count)

    async def _read_bus(self) -> Sequence[EventNotice]:
        try:
            async with asyncio.timeout(self._poll_interval_s + BUS_GRACE_S):
                return await self._source.read(self._poll_interval_s)
        except TimeoutError as error:
            raise BusUnavailable("the bus does not answer") from error

    async def _poll(self) -> None:
        # Set first: while the journal cannot be read, events still go on arriving between the attempts.
        self._next_poll_s = self._monotonic_s() + self._poll_interval_s
        heads = await self._history.heads()
        for shard, head in heads.items():
            sequence = self._sequences.setdefault(shard, ShardSequence(head))
            if head < sequence.last_seq:
                _log.warning("the journal is shorter than before, following it anew", shard=shard, head=head)
                sequence.restart(head)
            # Events that were committed before the former poll had their time to arrive over the bus.
            await self._read_journal(shard, self._former_heads.get(shard, 0))
        self._former_heads = heads
        behind = (head - self._sequences[shard].last_seq for shard, head in heads.items())
        ORDER_EVENTS_BEHIND.set(sum(max(count, 0) for count in behind))

    async def _read_journal(self, shard: Shard, until_seq: int) -> None:
        sequence = self._sequences[shard]
        await self._tell_ready(sequence)
        while (missing_count := until_seq - sequence.last_seq) > 0:
            events = await self._history.after(sequence, shard, min(missing_count, FETCH_ENTRIES_MAX))
            if not events:
                _log.error("the journal lacks entries", shard=shard, after_seq=sequence.last_seq)
                return
            for event in events:
                sequence.offer(event)
            await self._tell_ready(sequence)

    async def _tell_ready(self, sequence: ShardSequence) -> None:
        while event := sequence.next_event():
            await self._sender.send(event)
            sequence.advance()

    async def _wait_out(self, dependency: str, error: Exception) -> None:
        DEPENDENCY_RECONNECTS.labels(dependency=dependency).inc()
        delay_s = self._backoff.next_delay_s()
        _log.warning("order events cannot be followed now", error=str(error), retry_in_s=round(delay_s, 3))
        await asyncio.sleep(delay_s)
