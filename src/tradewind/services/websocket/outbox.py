"""What waits to be sent to one client: bounded, and written many frames at a time."""

from collections import deque
from collections.abc import Callable


class Outbox:
    """A queue of whole frames before a transport.

    Frames pushed in one turn of the event loop leave in joined writes at its end. While the transport is full they
    wait here, up to the bounds.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        run_soon: Callable[[Callable[[], None]], object],
        *,
        bytes_max: int,
        frames_max: int,
        write_bytes: int,
    ) -> None:
        self._write = write
        self._run_soon = run_soon
        self._bytes_max = bytes_max
        self._frames_max = frames_max
        self._write_bytes = write_bytes
        self._frames: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_flush_due = False
        self._is_paused = False

    @property
    def waiting_bytes(self) -> int:
        """Bytes that were pushed and not yet given to the transport."""
        return self._waiting_bytes

    def push(self, frame: bytes) -> bool:
        """Queue a frame; False, and nothing is queued, when it would go beyond a bound."""
        if self._waiting_bytes + len(frame) > self._bytes_max or len(self._frames) >= self._frames_max:
            return False
        self._frames.append(frame)
        self._waiting_bytes += len(frame)
        if not self._is_flush_due and not self._is_paused:
            self._is_flush_due = True
            self._run_soon(self.flush)
        return True

    def flush(self) -> None:
        """Give the transport what it takes now."""
        self._is_flush_due = False
        while self._frames and not self._is_paused:
            self._write(self._take_chunk())

    def pause(self) -> None:
        """The transport is full."""
        self._is_paused = True

    def resume(self) -> None:
        """The transport has room again."""
        self._is_paused = False
        self.flush()

    def clear(self) -> None:
        """Forget everything that waits."""
        self._frames.clear()
        self._waiting_bytes = 0

    def take_all(self) -> bytes:
        """Everything that waits, for a last write past the transport's bound."""
        rest = b"".join(self._frames)
        self.clear()
        return rest

    def _take_chunk(self) -> bytes:
        chunk = []
        size = 0
        while self._frames and size < self._write_bytes:
            frame = self._frames.popleft()
            chunk.append(frame)
            size += len(frame)
        self._waiting_bytes -= size
        return chunk[0] if len(chunk) == 1 else b"".join(chunk)
