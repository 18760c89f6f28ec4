"""Fans market data out: every event is encoded once a codec, every message built once for all who want the same."""

from collections.abc import Sequence

from tradewind.domain.market.ticks import MarketEvent
from tradewind.operations.logging import get_logger
from tradewind.ports.market_data import MarketDataSubscriber
from tradewind.ports.stream_formats import MarketDataFormat
from tradewind.services.websocket.connection import Connection
from tradewind.services.websocket.frames import data_opcode, server_frame
from tradewind.services.websocket.subscriptions import Interest

_log = get_logger(__name__)

_Audience = tuple[Interest, MarketDataFormat]


class MarketHub:
    """Which connections want what."""

    def __init__(self, events_per_frame_max: int) -> None:
        self._events_per_frame_max = events_per_frame_max
        self._audiences: dict[_Audience, set[Connection]] = {}
        self._audience_of: dict[Connection, _Audience] = {}

    def set_interest(self, connection: Connection, interest: Interest, codec: MarketDataFormat) -> None:
        """The connection wants this from now on, and nothing else."""
        self.remove(connection)
        if not interest.is_empty:
            audience = (interest, codec)
            self._audiences.setdefault(audience, set()).add(connection)
            self._audience_of[connection] = audience

    def remove(self, connection: Connection) -> None:
        """The connection wants nothing any more."""
        audience = self._audience_of.pop(connection, None)
        if audience is not None:
            connections = self._audiences[audience]
            connections.discard(connection)
            if not connections:
                del self._audiences[audience]

    def publish(self, events: Sequence[MarketEvent]) -> None:
        """Send each connection the events that it wants."""
        batch = _Batch(events, self._events_per_frame_max)
        # Copies: a client that is too slow leaves the sets meanwhile.
        for (interest, codec), connections in list(self._audiences.items()):
            wanted = tuple(number for number, event in enumerate(events) if interest.covers(event))
            frames = batch.frames(wanted, codec)
            for connection in tuple(connections):
                for frame in frames:
                    connection.send_frame(frame)

    async def follow(self, subscriber: MarketDataSubscriber) -> None:
        """Publish what the subscriber gets, until it ends or this is cancelled."""
        async for events in subscriber.subscribe():
            self.publish(events)
        _log.info("market data ended")


class _Batch:
    """The messages of one batch of events, each built when first wanted."""

    def __init__(self, events: Sequence[MarketEvent], events_per_frame_max: int) -> None:
        self._events = events
        self._events_per_frame_max = events_per_frame_max
        self._encoded: dict[tuple[int, MarketDataFormat], bytes] = {}
        self._frames: dict[tuple[tuple[int, ...], MarketDataFormat], list[bytes]] = {}

    def frames(self, wanted: tuple[int, ...], codec: MarketDataFormat) -> list[bytes]:
        """Frames that hold the events of these numbers; none for no numbers."""
        frames = self._frames.get((wanted, codec))
        if frames is None:
            step = self._events_per_frame_max
            chunks = [wanted[start : start + step] for start in range(0, len(wanted), step)]
            frames = self._frames[wanted, codec] = [self._frame(chunk, codec) for chunk in chunks]
        return frames

    def _frame(self, numbers: Sequence[int], codec: MarketDataFormat) -> bytes:
        message = codec.join([self._event(number, codec) for number in numbers])
        return server_frame(data_opcode(is_binary=codec.is_binary), message)

    def _event(self, number: int, codec: MarketDataFormat) -> bytes:
        encoded = self._encoded.get((number, codec))
        if encoded is None:
            encoded = self._encoded[number, codec] = codec.encode_event(self._events[number])
        return encoded
