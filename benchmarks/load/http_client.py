"""A small HTTP client for load: keep-alive connections with one request in flight each, and little work of its own."""

import asyncio
import json
import ssl
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import httptools

from benchmarks.load_plan import KeyPair

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 10.0


class Answer(NamedTuple):
    """A complete answer."""

    status: int
    body: bytes


class Lost(Exception):
    """The connection broke, or no answer came in time: whether anything happened is not known."""


class Address(NamedTuple):
    """Where an HTTP service is."""

    host: str
    port: int
    is_encrypted: bool

    @classmethod
    def of(cls, url: str) -> Self:
        """Of a base URL; raises `ValueError` when it is none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url} is not like http://127.0.0.1:8080")
        is_encrypted = parts.scheme == "https"
        return cls(parts.hostname, parts.port or (443 if is_encrypted else 80), is_encrypted)


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._parser: httptools.HttpResponseParser | None = None
        self._body = b""
        self._answer: asyncio.Future[Answer] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._parser is not None:
            self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Lost(f"connection lost: {exc}"))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._answer is not None and self._parser is not None and not self._answer.done():
            self._answer.set_result(Answer(self._parser.get_status_code(), self._body))

    async def ask(self, request: bytes) -> Answer:
        if self.transport is None:
            raise Lost("not connected")
        self._parser, self._body = httptools.HttpResponseParser(self), b""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await self._answer
        except TimeoutError as error:
            self.transport.abort()
            raise Lost(f"no answer within {ANSWER_TIMEOUT_S:g} s") from error

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class HttpClient:
    """At most `connections` requests at once; others wait their turn. Broken connections are made anew."""

    def __init__(self, base_url: str, connections: int) -> None:
        self._address = Address.of(base_url)
        self._free = asyncio.Semaphore(connections)
        self._idle: list[_Connection] = []

    async def ask(self, key: KeyPair, method: str, path: str, body: object = None) -> Answer:
        """Send a request with the key's credentials; raises `Lost`."""
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._address.host}:{self._address.port}\r\n"
            f"APCA-API-KEY-ID: {key.id}\r\nAPCA-API-SECRET-KEY: {key.secret}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        async with self._free:
            connection = self._idle.pop() if self._idle else await self._connect()
            answer = await connection.ask(head.encode("ascii") + content)
            if connection.transport is not None:
                self._idle.append(connection)
            return answer

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle:
            connection.close()

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        tls = ssl.create_default_context() if self._address.is_encrypted else None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await loop.create_connection(
                    _Connection, self._address.host, self._address.port, ssl=tls
                )
        except (OSError, TimeoutError) as error:
            raise Lost(f"cannot connect to {self._address.host}:{self._address.port}: {error}") from error
        return connection
