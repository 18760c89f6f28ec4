"""The WebSocket service as clients meet it: the real server on a loopback port, everything behind it in memory."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.unit.services.websocket.makers import AAPL, ALICE, BOB, entry
from tradewind.adapters.alpaca.market_data_format import JsonMarketDataFormat, MsgpackMarketDataFormat
from tradewind.adapters.alpaca.trade_update_format import encode_trade_update
from tradewind.adapters.memory.journal_reader import MemoryJournalReader
from tradewind.adapters.memory.market_data import MemoryMarketData
from tradewind.adapters.memory.order_events import MemoryOrderEvents
from tradewind.adapters.memory.trading_queries import MemoryTradingQueries
from tradewind.domain.events import Event
from tradewind.operations.backoff import Backoff
from tradewind.operations.probes import Probes
from tradewind.ports.authentication import NotAuthenticated, Principal
from tradewind.ports.errors import StoreUnavailable
from tradewind.services.websocket.instruments import InstrumentCatalogue
from tradewind.services.websocket.journal_history import JournalHistory
from tradewind.services.websocket.limits import StreamLimits
from tradewind.services.websocket.market_hub import MarketHub
from tradewind.services.websocket.operations_pages import OperationsPages
from tradewind.services.websocket.order_updates import OrderUpdateFollower, UpdateSender
from tradewind.services.websocket.server import Codecs, StreamServer
from tradewind.services.websocket.service import WebSocketService
from tradewind.services.websocket.trading_stream import TradingHub

MSGPACK = {"Content-Type": "application/msgpack"}
POLL_INTERVAL_S = 0.05


class KnownKeys:
    """Knows Alice's and Bob's keys, and a token of Alice's."""

    def __init__(self) -> None:
        self.is_available = True
        self.waits_for: asyncio.Event | None = None

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        if self.waits_for is not None:
            await self.waits_for.wait()
        if not self.is_available:
            raise StoreUnavailable("no database")
        match headers:
            case {"apca-api-key-id": "alice", "apca-api-secret-key": "wonderland"}:
                return Principal(user_id=None, account_ids=(ALICE,), account_id=ALICE)
            case {"apca-api-key-id": "bob", "apca-api-secret-key": "builder"}:
                return Principal(user_id=None, account_ids=(BOB,), account_id=BOB)
            case {"authorization": "Bearer alices-token"}:
                return Principal(user_id=None, account_ids=(ALICE,), account_id=ALICE)
        raise NotAuthenticated


class Streams:
    """A running service and what feeds it."""

    def __init__(self, limits: StreamLimits) -> None:
        self.bus = MemoryOrderEvents()
        self.journal = MemoryJournalReader()
        self.market_data = MemoryMarketData()
        self.queries = MemoryTradingQueries([AAPL])
        self.keys = KnownKeys()
        self.trading = TradingHub()
        self.market = MarketHub(limits.events_per_frame_max)
        self.stop = asyncio.Event()
        self.port = 0
        pages = OperationsPages(Probes("websocket-service", "1"))
        self.follower = OrderUpdateFollower(
            source=self.bus,
            history=JournalHistory(self.journal, self.queries, self.trading.has_listeners),
            sender=UpdateSender(
                self.trading,
                InstrumentCatalogue(self.queries.instruments),
                encode_trade_update,
            ),
            backoff=Backoff(0.01, 0.05, 2.0, random.Random(1)),
            monotonic_s=time.monotonic,
            poll_interval_s=POLL_INTERVAL_S,
        )
        codecs = Codecs(json=JsonMarketDataFormat(), msgpack=MsgpackMarketDataFormat())
        self.server = StreamServer(self.keys, codecs, self.trading, self.market, pages, limits)
        self.service = WebSocketService(self.server, pages, self.follower, self.market, self.market_data)

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    def commit(self, *events: Event) -> None:
        """Write events to the journal of their account's shard."""
        for event in events:
            shard = entry(0, event).shard
            self.journal.append(entry(len(self.journal._entries[shard]) + 1, event))

    def connect(self, path: str, **options: Any) -> connect:
        return connect(self.url(path), proxy=None, **options)


@asynccontextmanager
async def running_streams(**limits: Any) -> AsyncIterator[Streams]:
    """A service with these limits instead of its own; it is stopped, and must stop, at the end."""
    limits.setdefault("auth_failure_delay_s", 0.0)
    streams = Streams(StreamLimits(**limits))
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    start = streams.server.start

    async def start_and_tell(host: str, port: int) -> int:
        started.set_result(await start(host, port))
        return started.result()

    streams.server.start = start_and_tell  # type: ignore[method-assign]
    run = asyncio.create_task(streams.service.run("127.0.0.1", 0, streams.stop))
    streams.port = await started
    await until(lambda: streams.follower.is_following and streams.market_data.subscriber_count == 1)
    try:
        yield streams
    finally:
        streams.stop.set()
        async with asyncio.timeout(8):
            await run


async def until(condition: Callable[[], bool]) -> None:
    """Wait for plain state to become true."""
    async with asyncio.timeout(3):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def say(client: ClientConnection, message: object) -> None:
    """Send JSON text."""
    await client.send(msgspec.json.encode(message).decode())


async def hear(client: ClientConnection, timeout_s: float = 2.0) -> Any:
    """The next message, read as JSON whatever its kind of frame."""
    async with asyncio.timeout(timeout_s):
        return msgspec.json.decode(await client.recv())


async def hear_nothing(client: ClientConnection, timeout_s: float = 0.1) -> None:
    """Fail when a message comes."""
    try:
        message = await hear(client, timeout_s)
    except TimeoutError:
        return
    raise AssertionError(f"unexpected: {message}")


async def read_to_the_end(client: ClientConnection) -> tuple[list[str | bytes], int, str]:
    """All messages up to the close frame, and its code and reason."""
    messages: list[str | bytes] = []
    try:
        async with asyncio.timeout(4):
            while True:
                messages.append(await client.recv())
    except ConnectionClosed as closed:
        if closed.rcvd is None:
            raise AssertionError("the connection was torn down without a close frame") from closed
        return messages, closed.rcvd.code, closed.rcvd.reason


async def log_in(client: ClientConnection, key: str = "alice", secret: str = "wonderland") -> None:
    """The handshake of a market-data stream, in JSON."""
    assert await hear(client) == [{"T": "success", "msg": "connected"}]
    await say(client, {"action": "auth", "key": key, "secret": secret})
    assert await hear(client) == [{"T": "success", "msg": "authenticated"}]


async def listen(client: ClientConnection, key: str = "alice", secret: str = "wonderland") -> None:
    """The handshake of the trading stream."""
    await say(client, {"action": "authenticate", "data": {"key_id": key, "secret_key": secret}})
    assert (await hear(client))["data"]["status"] == "authorized"
    await say(client, {"action": "listen", "data": {"streams": ["trade_updates"]}})
    assert (await hear(client))["stream"] == "listening"
