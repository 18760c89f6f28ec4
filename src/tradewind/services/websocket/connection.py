"""One client's connection: joins its messages, queues what goes out, and ends it in an orderly way."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from tradewind.operations.logging import get_logger
from tradewind.operations.metrics import WEBSOCKET_CUTS, WEBSOCKET_MESSAGES
from tradewind.services.websocket.frames import (
    FragmentOutOfOrder,
    MessageAssembler,
    MessageTooLong,
    Opcode,
    server_frame,
)
from tradewind.services.websocket.limits import StreamLimits
from tradewind.services.websocket.outbox import Outbox

SLOW_CLIENT = "slow client"
AUTH_TIMEOUT = "auth timeout"

Work = Coroutine[Any, Any, None]

_DATA_TYPES = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)

_log = get_logger(__name__)


class Session(Protocol):
    """What a stream does on a connection.

    `opened` and `received` act at once; when they have to wait for something they return it, and the connection
    gives no further message before it is done.
    """

    @property
    def is_authenticated(self) -> bool:
        """Whether the client proved who it is."""
        ...

    def opened(self) -> Work | None:
        """The client is connected."""
        ...

    def received(self, message: bytes) -> Work | None:
        """A whole message came in."""
        ...

    def closed(self) -> None:
        """Nothing can be sent any more. Called once."""
        ...

    def notice(self, reason: str) -> bytes | None:
        """What to tell the client (a whole message) before it is cut for `reason`, if the stream has words for it."""
        ...


class Connection(WSListener):
    """Callbacks of the library on one side, a session on the other."""

    def __init__(
        self,
        opcode: Opcode,
        limits: StreamLimits,
        arrived: Callable[["Connection"], None],
        gone: Callable[["Connection"], None],
    ) -> None:
        self._opcode = opcode
        self._limits = limits
        self._arrived = arrived
        self._gone = gone
        self._assembler = MessageAssembler(limits.message_bytes_max)
        self._messages: deque[bytes] = deque()
        self._work: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_closing = False
        self._session: Session
        self._transport: WSTransport
        self._outbox: Outbox

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait for the client."""
        return self._outbox.waiting_bytes

    def attach(self, session: Session) -> None:
        """Name the session; before the connection is established."""
        self._session = session

    def send(self, message: bytes) -> None:
        """Queue a message; a client too slow to take it is cut."""
        self.send_frame(server_frame(self._opcode, message))

    def send_frame(self, frame: bytes) -> None:
        """Queue a message that `server_frame` framed already, perhaps for many."""
        if self._is_closing:
            return
        if self._outbox.push(frame):
            WEBSOCKET_MESSAGES.inc()
        else:
            self._cut(SLOW_CLIENT)

    def close(self, code: WSCloseCode, reason: str) -> None:
        """Send what waits and a close frame; a client that does not go in time is torn down."""
        if self._is_closing:
            return
        self._is_closing = True
        self._session.closed()
        if self._work is not None and self._work is not asyncio.current_task():
            self._work.cancel()
        rest = self._outbox.take_all()
        if rest:
            self._write(rest)
        self._transport.send_close(code, reason)
        if self._timer:
            self._timer.cancel()
        # A peer that answers the close frame ends the connection itself, so it has read all of it by then.
        self._timer = asyncio.get_running_loop().call_later(self._limits.close_grace_s, self.abort)

    def abort(self) -> None:
        """Tear the connection down at once."""
        self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Called by the library after the handshake."""
        loop = asyncio.get_running_loop()
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=self._limits.write_bytes)
        self._outbox = Outbox(
            self._write,
            loop.call_soon,
            bytes_max=self._limits.queued_bytes_max,
            frames_max=self._limits.queued_frames_max,
            write_bytes=self._limits.write_bytes,
        )
        self._arrived(self)
        self._timer = loop.call_later(self._limits.auth_timeout_s, self._require_authentication)
        self._start(self._session.opened())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Called by the library for every frame but pings."""
        if frame.msg_type == WSMsgType.CLOSE:
            self._answer_close(transport)
        elif frame.msg_type in _DATA_TYPES and not self._is_closing:
            self._take(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Called by the library once the connection is gone."""
        if self._timer:
            self._timer.cancel()
        if self._work:
            self._work.cancel()
        if not self._is_closing:
            self._is_closing = True
            self._session.closed()
        self._outbox.clear()
        self._gone(self)

    def pause_writing(self) -> None:
        """Called by the library when the transport is full."""
        self._outbox.pause()

    def resume_writing(self) -> None:
        """Called by the library when the transport has room again."""
        self._outbox.resume()

    def _take(self, frame: WSFrame) -> None:
        try:
            message = self._assembler.add(
                frame.get_payload_as_bytes(),
                is_continuation=frame.msg_type == WSMsgType.CONTINUATION,
                is_final=frame.fin,
            )
        except MessageTooLong:
            WEBSOCKET_CUTS.labels(reason="message too long").inc()
            self.close(
                WSCloseCode.MESSAGE_TOO_BIG, f"messages may have {self._limits.message_bytes_max} bytes"
            )
            return
        except FragmentOutOfOrder:
            self.close(WSCloseCode.PROTOCOL_ERROR, "fragment out of order")
            return
        if message is None:
            return
        if self._work is None:
            self._start(self._session.received(message))
        elif len(self._messages) < self._limits.waiting_messages_max:
            self._messages.append(message)
        else:
            self.close(WSCloseCode.POLICY_VIOLATION, "too many messages before authentication")

    def _start(self, work: Work | None) -> None:
        if work is not None:
            self._work = asyncio.get_running_loop().create_task(work)
            self._work.add_done_callback(self._go_on)

    def _go_on(self, work: asyncio.Task[None]) -> None:
        self._work = None
        if work.cancelled() or self._is_closing:
            return
        failure = work.exception()
        if failure is not None:
            _log.error("stream session failed", exc_info=failure)
            self.close(WSCloseCode.INTERNAL_ERROR, "internal error")
        while self._messages and self._work is None and not self._is_closing:
            self._start(self._session.received(self._messages.popleft()))

    def _require_authentication(self) -> None:
        self._timer = None
        if not self._session.is_authenticated:
            self._cut(AUTH_TIMEOUT)

    def _cut(self, reason: str) -> None:
        WEBSOCKET_CUTS.labels(reason=reason).inc()
        _log.info("client cut", reason=reason)
        # What the client did not read is dropped, so that it learns the reason as soon as it reads again.
        self._outbox.clear()
        notice = self._session.notice(reason)
        if notice is not None:
            self._outbox.push(server_frame(self._opcode, notice))
        self.close(WSCloseCode.POLICY_VIOLATION, reason)

    def _answer_close(self, transport: WSTransport) -> None:
        self.close(WSCloseCode.OK, "")
        transport.disconnect()  # once all is written; the timer of `close` bounds it

    def _write(self, chunk: bytes) -> None:
        if not self._transport.is_disconnected:
            self._transport.underlying_transport.write(chunk)
