"""Every bound of the WebSocket service, by name."""

import msgspec


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What happens at each bound stands with it."""

    clients_max: int = 10_000
    """Connections at once; further upgrades are answered 503."""
    message_bytes_max: int = 256 * 1024
    """A client's message, all its fragments joined; a longer one closes the connection with 1009."""
    waiting_messages_max: int = 16
    """Messages of a client that wait while its credentials are checked; one more closes with 1008."""
    symbols_max: int = 10_000
    """Symbols that a client may name over all channels; a subscription beyond is refused whole, error 405."""
    symbol_length_max: int = 32
    """Characters of a symbol; a longer one is invalid syntax, error 400."""

    queued_bytes_max: int = 4 * 1024 * 1024
    """Bytes that wait for a client to read; beyond it the client is slow and is cut, error 407."""
    queued_frames_max: int = 8_192
    """Frames that wait for a client to read; beyond it the client is slow and is cut, error 407."""
    write_bytes: int = 64 * 1024
    """Waiting frames are joined into writes of about this size; the transport holds no more than two of them."""
    events_per_frame_max: int = 500
    """Market events in one message: clients refuse messages of a megabyte. More go into further messages."""

    auth_timeout_s: float = 10.0
    """Time to authenticate; then error 404 and the connection is closed."""
    auth_failure_delay_s: float = 1.0
    """Wrong credentials are answered this late: it slows guessing, and clients that reconnect in a loop."""
    ping_idle_s: float = 20.0
    """A client silent for this long is pinged; one that is silent for as long again is disconnected."""
    close_grace_s: float = 5.0
    """Time to read what was sent before a close and to answer it; then the connection is torn down."""
    drain_timeout_s: float = 5.0
    """Time in which all clients must be gone once the service stops; what remains is torn down."""
