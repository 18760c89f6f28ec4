"""The listening server: routes upgrades to streams, answers plain requests, and ends all of it in time."""

import asyncio
import logging
import re
from http import HTTPStatus

import msgspec
from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from tradewind.operations.logging import get_logger
from tradewind.operations.metrics import WEBSOCKET_CLIENTS, WEBSOCKET_QUEUED_BYTES
from tradewind.ports.authentication import Authenticator
from tradewind.ports.stream_formats import MarketDataFormat
from tradewind.services.websocket.connection import Connection
from tradewind.services.websocket.credentials import headers_of_upgrade
from tradewind.services.websocket.frames import data_opcode
from tradewind.services.websocket.limits import StreamLimits
from tradewind.services.websocket.market_hub import MarketHub
from tradewind.services.websocket.market_stream import MarketSession
from tradewind.services.websocket.operations_pages import OperationsPages, plain_answer
from tradewind.services.websocket.subscriptions import Feed
from tradewind.services.websocket.trading_stream import OPCODE as TRADING_OPCODE
from tradewind.services.websocket.trading_stream import TradingHub, TradingSession

LISTEN_BACKLOG = 2_048
HANDSHAKE_TIMEOUT_S = 5.0
"""Time to send a whole upgrade request; then the connection is dropped."""
MSGPACK_CONTENT_TYPE = "application/msgpack"

_TRADING_PATH = "/stream"
_STOCK_PATH = re.compile(r"/v2/[a-z_]{1,32}")
_CRYPTO_PATHS = ("/v1beta3/crypto/us", "/v1beta2/crypto")
_SLASHES = re.compile(r"/{2,}")

_log = get_logger(__name__)


class Codecs(msgspec.Struct, frozen=True):
    """The two codecs of market-data streams."""

    json: MarketDataFormat
    msgpack: MarketDataFormat


class StreamServer:
    """All streams on one port."""

    def __init__(
        self,
        authenticator: Authenticator,
        codecs: Codecs,
        trading: TradingHub,
        market: MarketHub,
        pages: OperationsPages,
        limits: StreamLimits,
    ) -> None:
        self._authenticator = authenticator
        self._codecs = codecs
        self._trading = trading
        self._market = market
        self._pages = pages
        self._limits = limits
        self._connections: set[Connection] = set()
        self._all_gone = asyncio.Event()
        self._server: asyncio.Server | None = None
        WEBSOCKET_QUEUED_BYTES.set_function(self._queued_bytes)

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (useful for port 0). Raises `OSError` when the address cannot be used."""
        await self._pages.refresh()
        library_log = logging.getLogger("picows.server")
        library_log.setLevel(logging.WARNING)  # it tells of every connection at "info"
        self._server = await ws_create_server(
            self._answer,
            host,
            port,
            websocket_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            logger_name=library_log,
            enable_auto_ping=True,
            auto_ping_idle_timeout=self._limits.ping_idle_s,
            auto_ping_reply_timeout=self._limits.ping_idle_s,
            auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
            max_frame_size=self._limits.message_bytes_max,
            backlog=LISTEN_BACKLOG,
        )
        bound_port: int = self._server.sockets[0].getsockname()[1]
        _log.info("listening", host=host, port=bound_port)
        return bound_port

    async def stop(self) -> None:
        """Accept nobody, say goodbye (1001) to all clients, and tear down those that do not go in time."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.close(WSCloseCode.GOING_AWAY, "server is stopping")
        try:
            async with asyncio.timeout(self._limits.drain_timeout_s):
                while self._connections:
                    self._all_gone.clear()
                    await self._all_gone.wait()
        except TimeoutError:
            _log.warning("clients did not leave in time", clients=len(self._connections))
            for connection in tuple(self._connections):
                connection.abort()

    def _answer(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener | None:
        target = request.path.decode("ascii", "replace").partition("?")[0]
        path = _SLASHES.sub("/", target)
        page = self._pages.answer(path)
        if page is not None:
            return page
        _accept_connection_list(request)
        connection = self._route(path, request)
        if connection is None:
            return _error(HTTPStatus.NOT_FOUND, 40410000, "endpoint not found.")
        if len(self._connections) >= self._limits.clients_max:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, 50310000, "too many connections")
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(), connection)

    def _route(self, path: str, request: WSUpgradeRequest) -> Connection | None:
        path = path.removesuffix("/")
        if path == _TRADING_PATH:
            return self._trading_connection()
        if _STOCK_PATH.fullmatch(path):
            return self._market_connection(Feed.STOCKS, request)
        if path in _CRYPTO_PATHS:
            return self._market_connection(Feed.CRYPTO, request)
        return None

    def _trading_connection(self) -> Connection:
        connection = Connection(TRADING_OPCODE, self._limits, self._arrived, self._gone)
        connection.attach(TradingSession(connection, self._authenticator, self._trading, self._limits))
        return connection

    def _market_connection(self, feed: Feed, request: WSUpgradeRequest) -> Connection:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        codec = self._codecs.msgpack if content_type == MSGPACK_CONTENT_TYPE else self._codecs.json
        opcode = data_opcode(is_binary=codec.is_binary)
        connection = Connection(opcode, self._limits, self._arrived, self._gone)
        credentials = headers_of_upgrade(request.headers)
        connection.attach(
            MarketSession(
                connection, codec, feed, self._authenticator, self._market, self._limits, credentials
            )
        )
        return connection

    def _queued_bytes(self) -> float:
        return sum(connection.queued_bytes for connection in self._connections)

    def _arrived(self, connection: Connection) -> None:
        self._connections.add(connection)
        WEBSOCKET_CLIENTS.set(len(self._connections))

    def _gone(self, connection: Connection) -> None:
        self._connections.discard(connection)
        WEBSOCKET_CLIENTS.set(len(self._connections))
        if not self._connections:
            self._all_gone.set()


def _accept_connection_list(request: WSUpgradeRequest) -> None:
    # Firefox sends `Connection: keep-alive, Upgrade`; the library knows the lone word only.
    options = request.headers.get("connection", "").lower().split(",")
    if "upgrade" in (option.strip() for option in options):
        request.headers["connection"] = "upgrade"


def _error(status: HTTPStatus, code: int, message: str) -> WSUpgradeResponseWithListener:
    body = msgspec.json.encode({"code": code, "message": message})
    return plain_answer(status, "application/json", body)
