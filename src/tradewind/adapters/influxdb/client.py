"""HTTP to InfluxDB: write lines, ask in InfluxQL, call the API of one line.

httpx, because the platform has it already, and it keeps connections open, bounds them and has timeouts for each step.
Replies are JSON: CSV would be a little faster on some versions, but a statement that fails inside a reply leaves no trace in
it (1.6.7 answers 200 and nothing), and bars would seem not to exist.
"""

from base64 import b64encode
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from tradewind.adapters.influxdb.errors import DatabaseMissing, InfluxRefusal, InfluxUnavailable

CONNECTIONS_MAX = 8
"""More requests than this at once wait for a connection."""
CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 15.0
"""Longest silence of the server; also the longest wait for a connection."""
CHUNK_ROWS = 10_000
"""Rows that the server holds in memory at once for a reply."""
REASON_LENGTH_MAX = 300

Reply = TypeVar("Reply", bound="Answer")
Body = TypeVar("Body")


class InfluxAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is. `token` is 1.x's password of `username`, else an API token; without one nothing is sent."""

    url: str
    database: str
    organisation: str
    username: str
    token: str


class Result(msgspec.Struct):
    """A statement's result, as far as all statements have it."""

    error: str = ""


class Answer(msgspec.Struct):
    """A reply to a query, or a part of a reply, as far as all queries have it."""

    results: Sequence[Result] = ()
    error: str = ""


class Version(msgspec.Struct, frozen=True):
    """What the server says that it is: `1.6.7`."""

    text: str

    @property
    def line(self) -> int:
        """1, 2 or 3; 0 when it does not say."""
        digits = self.text.removeprefix("v").partition(".")[0]
        return int(digits) if digits.isdigit() else 0


class _PingBody(msgspec.Struct):
    version: str = ""


class InfluxClient:
    """One server and database. Every failure is an `InfluxUnavailable`."""

    def __init__(self, address: InfluxAddress) -> None:
        self.address = address
        self.place = urlsplit(address.url).netloc.rpartition("@")[2] or address.url
        """Host and port, for people."""
        self._http = httpx.AsyncClient(
            base_url=address.url,
            headers=_headers(address),
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def version(self) -> Version:
        """Asks whether it lives, and what it is."""
        response = await self._send(self._http.build_request("GET", "/ping"))
        text = response.headers.get("X-Influxdb-Version", "")
        if not text and response.content:
            text = decoded(msgspec.json.Decoder(_PingBody), response.content, self.place).version
        return Version(text)

    async def write(self, lines: bytes) -> None:
        """Store lines of nanosecond precision."""
        parameters = {"db": self.address.database, "precision": "ns"}
        await self._send(self._http.build_request("POST", "/write", params=parameters, content=lines))

    async def query(self, statement: str, decoder: msgspec.json.Decoder[Reply]) -> list[Reply]:
        """The parts of the reply to one SELECT, in order. Raises `DatabaseMissing` too."""
        parameters: dict[str, str | int] = {
            "db": self.address.database,
            "q": statement,
            "epoch": "ns",
            "chunked": "true",
            "chunk_size": CHUNK_ROWS,
        }
        response = await self._send(self._http.build_request("GET", "/query", params=parameters))
        try:
            parts = decoder.decode_lines(response.content)
        except msgspec.DecodeError as error:
            raise _unreadable(self.place, error) from error
        for part in parts:
            self._require_no_error(part)
        return parts

    async def execute(self, statement: str, decoder: msgspec.json.Decoder[Reply]) -> Reply:
        """Run a statement that changes or shows something (1.x)."""
        parameters = {"db": self.address.database, "q": statement}
        response = await self._send(self._http.build_request("POST", "/query", data=parameters))
        reply = decoded(decoder, response.content, self.place)
        self._require_no_error(reply)
        return reply

    async def call(
        self, method: str, path: str, scheme: str, parameters: dict[str, str], body: object
    ) -> bytes:
        """Call the management API of one line; `scheme` is how it wants the token: `Token` (2.x), `Bearer` (3.x)."""
        headers = {"Content-Type": "application/json"}
        if self.address.token:
            headers["Authorization"] = f"{scheme} {self.address.token}"
        content = None if body is None else msgspec.json.encode(body)
        request = self._http.build_request(method, path, params=parameters, content=content, headers=headers)
        return (await self._send(request)).content

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._http.send(request)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise InfluxUnavailable(f"InfluxDB at {self.place} cannot be reached: {reason}") from error
        if response.is_success:
            return response
        raise self._refusal(response.status_code, _reason(response))

    def _require_no_error(self, part: Answer) -> None:
        for reason in (part.error, *(result.error for result in part.results)):
            if reason:
                raise self._refusal(httpx.codes.OK, reason)

    def _refusal(self, status: int, reason: str) -> InfluxRefusal:
        is_missing = "not found" in reason and ("database" in reason or "bucket" in reason)
        kind = DatabaseMissing if is_missing else InfluxRefusal
        return kind(f"InfluxDB at {self.place} refuses: {reason[:REASON_LENGTH_MAX]} ({status})", status)


def _headers(address: InfluxAddress) -> dict[str, str]:
    # Unpacking would cost more than the bytes save where the store is near.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if address.token:
        pair = b64encode(f"{address.username}:{address.token}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    return headers


class _ErrorBody(msgspec.Struct):
    error: str = ""
    message: str = ""


def decoded(decoder: msgspec.json.Decoder[Body], content: bytes, place: str) -> Body:
    """The body of an answer; raises `InfluxUnavailable` when it cannot be read."""
    try:
        return decoder.decode(content)
    except msgspec.DecodeError as error:
        raise _unreadable(place, error) from error


def _unreadable(place: str, error: Exception) -> InfluxUnavailable:
    return InfluxUnavailable(f"InfluxDB at {place} gave an answer that cannot be read: {error}")


def _reason(response: httpx.Response) -> str:
    """Its own words: `error` in 1.x and 3.x, `message` in 2.x."""
    try:
        body = msgspec.json.decode(response.content, type=_ErrorBody)
    except msgspec.DecodeError:
        return " ".join(response.text.split()) or response.reason_phrase
    return body.error or body.message or response.reason_phrase
