"""Alpaca's trading stream (`/stream`): each client follows the orders of its own account.

Messages are JSON in binary frames, as Alpaca's paper host sends them; clients may send text or binary.
"""

import asyncio
from collections.abc import Collection, Mapping

import msgspec
from picows import WSCloseCode

from tradewind.domain.identifiers import AccountId
from tradewind.operations.logging import get_logger
from tradewind.ports.authentication import Authenticator, NotAuthenticated, Principal
from tradewind.ports.errors import Overloaded, StoreUnavailable
from tradewind.services.websocket.connection import Connection, Work
from tradewind.services.websocket.credentials import headers_of_key, headers_of_token
from tradewind.services.websocket.frames import Opcode
from tradewind.services.websocket.limits import StreamLimits

TRADE_UPDATES = "trade_updates"
OPCODE = Opcode.BINARY

_STREAMS = (TRADE_UPDATES,)
_AUTHENTICATE_ACTIONS = ("authenticate", "auth")

_log = get_logger(__name__)


class _RequestData(msgspec.Struct):
    key_id: str | None = None
    secret_key: str | None = None
    oauth_token: str | None = None
    streams: list[str] | None = None


class _Request(msgspec.Struct):
    """Any message of a client; `key` and `secret` are an older way to authenticate."""

    action: str
    data: _RequestData = msgspec.field(default_factory=_RequestData)
    key: str | None = None
    secret: str | None = None


_DECODER = msgspec.json.Decoder(_Request)
_ENCODER = msgspec.json.Encoder()


class TradingHub:
    """Who listens to which account."""

    def __init__(self) -> None:
        self._listeners: dict[AccountId, set[TradingSession]] = {}

    def add(self, account_id: AccountId, session: "TradingSession") -> None:
        """The session listens from now on."""
        self._listeners.setdefault(account_id, set()).add(session)

    def remove(self, account_id: AccountId, session: "TradingSession") -> None:
        """The session listens no more; nothing happens when it did not."""
        listeners = self._listeners.get(account_id)
        if listeners is not None:
            listeners.discard(session)
            if not listeners:
                del self._listeners[account_id]

    def has_listeners(self, account_id: AccountId) -> bool:
        """Whether anyone listens to the account."""
        return account_id in self._listeners

    def send_frame(self, account_id: AccountId, frame: bytes) -> None:
        """Send a framed message to all who listen to the account."""
        # A copy: a client that is too slow leaves the set meanwhile.
        for session in tuple(self._listeners.get(account_id, ())):
            session.send_frame(frame)


class TradingSession:
    """The protocol of one client of the trading stream."""

    def __init__(
        self, connection: Connection, authenticator: Authenticator, hub: TradingHub, limits: StreamLimits
    ) -> None:
        self._connection = connection
        self._authenticator = authenticator
        self._hub = hub
        self._limits = limits
        self._principal: Principal | None = None

    @property
    def is_authenticated(self) -> bool:
        """Whether the client proved who it is."""
        return self._principal is not None

    def opened(self) -> Work | None:
        """Say nothing: this stream's clients speak first."""
        return None

    def received(self, message: bytes) -> Work | None:
        """Obey a request, or answer that it makes no sense."""
        try:
            request = _DECODER.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._send("error", {"error": "invalid syntax"})
            return None
        if request.action in _AUTHENTICATE_ACTIONS:
            return self._log_in(_credentials(request))
        if request.action != "listen":
            self._send("error", {"error": "unknown action"})
        elif self._principal is None:
            self._send("authorization", {"status": "unauthorized", "action": "listen"})
        else:
            self._listen(self._principal.account_id, request.data.streams or ())
        return None

    def closed(self) -> None:
        """Listen no more."""
        if self._principal is not None:
            self._hub.remove(self._principal.account_id, self)

    def notice(self, reason: str) -> bytes | None:
        """None: this stream has no words for it, the close frame carries the reason."""
        return None

    def send_frame(self, frame: bytes) -> None:
        """Send a framed message."""
        self._connection.send_frame(frame)

    def _listen(self, account_id: AccountId, wanted: Collection[str]) -> None:
        streams = [stream for stream in _STREAMS if stream in wanted]
        if streams:
            self._hub.add(account_id, self)
        else:
            self._hub.remove(account_id, self)
        self._send("listening", {"streams": streams})

    async def _log_in(self, headers: Mapping[str, str]) -> None:
        self.closed()  # logging in anew ends what the former credentials listened to
        self._principal = None
        try:
            self._principal = await self._authenticator.authenticate(headers)
        except NotAuthenticated:
            await asyncio.sleep(self._limits.auth_failure_delay_s)
            self._send("authorization", {"status": "unauthorized", "action": "authenticate"})
            self._connection.close(WSCloseCode.POLICY_VIOLATION, "unauthorized")
        except (StoreUnavailable, Overloaded) as error:
            _log.warning("credentials cannot be checked", error=str(error))
            self._connection.close(WSCloseCode.TRY_AGAIN_LATER, "try again later")
        else:
            self._send("authorization", {"status": "authorized", "action": "authenticate"})

    def _send(self, stream: str, data: Mapping[str, object]) -> None:
        self._connection.send(_ENCODER.encode({"stream": stream, "data": data}))


def _credentials(request: _Request) -> dict[str, str]:
    data = request.data
    if data.oauth_token:
        return headers_of_token(data.oauth_token)
    return headers_of_key(data.key_id or request.key or "", data.secret_key or request.secret or "")
