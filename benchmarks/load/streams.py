"""Stream clients for load: one that awaits the updates of its orders, and many that receive the same market data."""

import asyncio
import time
from abc import abstractmethod
from collections.abc import Callable

import msgspec
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.load.figures import Recorder
from benchmarks.load_plan import KeyPair
from benchmarks.processes import BenchmarkError

START_TIMEOUT_S = 15.0
EVENTS_REMEMBERED_MAX = 20_000
"""Market events whose first receipt is remembered; later ones are counted and not timed."""


class _Started(msgspec.Struct):
    stream: str = ""
    T: str = ""
    msg: str = ""


class _Order(msgspec.Struct):
    client_order_id: str


class _Data(msgspec.Struct):
    order: _Order | None = None
    status: str = ""


class _TradingMessage(msgspec.Struct):
    stream: str
    data: _Data


class _MarketEvent(msgspec.Struct):
    T: str
    S: str = ""
    t: str = ""


_TRADING = msgspec.json.Decoder(_TradingMessage)
_MARKET = msgspec.json.Decoder(list[_MarketEvent])
_DATA_FRAMES = (WSMsgType.TEXT, WSMsgType.BINARY)


class Stream(WSListener):
    """A client that speaks JSON; `cut` says why it was disconnected, if it was."""

    def __init__(self) -> None:
        super().__init__()
        self.transport: WSTransport | None = None
        self.cut = ""
        self._parts = b""
        self._is_ours_to_close = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.cut = (
                self.cut
                or f"closed: {frame.get_close_code()} {(frame.get_close_message() or b'').decode(errors='replace')}"
            )
            transport.disconnect()
        elif frame.msg_type in (*_DATA_FRAMES, WSMsgType.CONTINUATION):
            self._parts += frame.get_payload_as_bytes()
            if frame.fin:
                message, self._parts = self._parts, b""
                self.received(message, time.monotonic_ns())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if not self._is_ours_to_close:
            self.cut = self.cut or "disconnected"

    @abstractmethod
    def received(self, message: bytes, now_ns: int) -> None:
        """A whole message."""

    def say(self, message: object) -> None:
        """Send a message."""
        assert self.transport is not None
        self.transport.send(WSMsgType.TEXT, msgspec.json.encode(message))

    def close(self) -> None:
        """Leave."""
        self._is_ours_to_close = True
        if self.transport is not None:
            self.transport.disconnect()


class OrderUpdates(Stream):
    """Listens to an account's `trade_updates` and times the first update of each order that it is told of."""

    def __init__(self, key: KeyPair, recorder: Recorder, operation: str) -> None:
        super().__init__()
        self._key = key
        self._recorder = recorder
        self._operation = operation
        self._sent_ns: dict[str, int] = {}
        self.is_listening = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        super().on_ws_connected(transport)
        self.say({"action": "auth", "key": self._key.id, "secret": self._key.secret})

    def expect(self, client_order_id: str, sent_ns: int) -> None:
        """An order is about to be sent: its update is awaited from now on."""
        self._sent_ns[client_order_id] = sent_ns

    def forget(self, client_order_id: str) -> None:
        """The order was refused."""
        self._sent_ns.pop(client_order_id, None)

    @property
    def awaited(self) -> int:
        """Orders whose first update has not come."""
        return len(self._sent_ns)

    def give_up(self) -> None:
        """Updates that have not come are errors."""
        for client_order_id in self._sent_ns:
            self._recorder.failed(self._operation, f"no update of {client_order_id} {self.cut}")
        self._sent_ns.clear()

    def received(self, message: bytes, now_ns: int) -> None:
        data = _TRADING.decode(message)
        if data.stream == "authorization":
            self.say({"action": "listen", "data": {"streams": ["trade_updates"]}})
        elif data.stream == "listening":
            self.is_listening.set()
        elif data.data.order is not None:
            sent_ns = self._sent_ns.pop(data.data.order.client_order_id, None)
            if sent_ns is not None:
                self._recorder.succeeded(self._operation, now_ns - sent_ns)


class FanOut:
    """Times each market event from its first receipt by any client to its receipt by each other client."""

    def __init__(self, recorder: Recorder, operation: str) -> None:
        self._recorder = recorder
        self._operation = operation
        self._first_ns: dict[tuple[str, str, str], int] = {}
        self.messages = 0
        self.events = 0
        self.is_measuring = False

    def received(self, message: bytes, now_ns: int) -> None:
        """A client received this message of events."""
        if not self.is_measuring:
            return
        self.messages += 1
        for event in _MARKET.decode(message):
            self.events += 1
            identity = (event.T, event.S, event.t)
            first_ns = self._first_ns.get(identity)
            if first_ns is not None:
                self._recorder.succeeded(self._operation, now_ns - first_ns)
            elif len(self._first_ns) < EVENTS_REMEMBERED_MAX:
                self._first_ns[identity] = now_ns


class MarketData(Stream):
    """Receives every quote and trade of the stream."""

    def __init__(self, key: KeyPair, fan_out: FanOut) -> None:
        super().__init__()
        self._key = key
        self._fan_out = fan_out
        self.is_listening = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        super().on_ws_connected(transport)
        self.say({"action": "auth", "key": self._key.id, "secret": self._key.secret})

    def received(self, message: bytes, now_ns: int) -> None:
        if self.is_listening.is_set():
            self._fan_out.received(message, now_ns)
            return
        for note in msgspec.json.decode(message, type=list[_Started]):
            if note.msg == "authenticated":
                self.say({"action": "subscribe", "quotes": ["*"], "trades": ["*"]})
            elif note.T == "subscription":
                self.is_listening.set()
            elif note.T == "error":
                self.cut = note.msg


async def connect(make: Callable[[], Stream], url: str) -> Stream:
    """A connected client; raises `BenchmarkError`."""
    try:
        _, client = await ws_connect(make, url, websocket_handshake_timeout=START_TIMEOUT_S)
    except (OSError, WSError, TimeoutError) as error:
        raise BenchmarkError(f"cannot connect to {url}: {error}") from error
    assert isinstance(client, Stream)
    return client


async def until_listening(clients: list[OrderUpdates] | list[MarketData]) -> None:
    """Until every client receives what it asked for; raises `BenchmarkError`."""
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            for client in clients:
                await client.is_listening.wait()
    except TimeoutError as error:
        reasons = sorted(
            {client.cut or "no answer" for client in clients if not client.is_listening.is_set()}
        )
        raise BenchmarkError(f"streams did not start: {', '.join(reasons)}") from error
