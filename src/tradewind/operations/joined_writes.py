"""One write to the socket for what one turn of the event loop answers.

Uvicorn writes the head and the body of a response one after the other, and each write is a system call that may wake the
client: together they cost a tenth of an order's request.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HELD_BYTES_MAX = 65_536
"""More than this is written at once, so that the transport sees it and can ask for a pause."""


Bytes: TypeAlias = "bytes | bytearray | memoryview[Any]"


class JoinedWrites(asyncio.Transport):
    """A transport in front of another, with the part of the interface that uvicorn uses."""

    def __init__(
        self, transport: asyncio.Transport, call_soon: Callable[[Callable[[], None]], object]
    ) -> None:
        super().__init__()
        self._transport = transport
        self._call_soon = call_soon
        self._held: list[Bytes] = []
        self._held_bytes = 0

    def write(self, data: Bytes) -> None:
        """Hold the data until the end of this turn of the loop."""
        if not self._held:
            self._call_soon(self._flush)
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > HELD_BYTES_MAX:
            self._flush()

    def close(self) -> None:
        """Write what is held and close."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what is held is lost."""
        self._held.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether the connection ends."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known about the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Take nothing more from the client for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on reading."""
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection to another protocol."""
        self._transport.set_protocol(protocol)

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, []
            self._held_bytes = 0
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))


class JoinedWritesProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol over `JoinedWrites`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(JoinedWrites(transport, self.loop.call_soon))
