"""WebSocket framing that the library leaves to us: whole frames to share between clients, fragments to join."""

from enum import IntEnum

_FIN = 0x80
_LENGTH_7_MAX = 125
_LENGTH_16_MAX = 0xFFFF


class Opcode(IntEnum):
    """Kinds of data messages (RFC 6455, section 5.2)."""

    TEXT = 1
    BINARY = 2


class MessageTooLong(Exception):
    """A message grew beyond its bound."""


class FragmentOutOfOrder(Exception):
    """A continuation without a beginning, or a new message inside an unfinished one."""


def data_opcode(*, is_binary: bool) -> Opcode:
    """The kind of a message of bytes or of text."""
    return Opcode.BINARY if is_binary else Opcode.TEXT


def server_frame(opcode: Opcode, payload: bytes) -> bytes:
    """A whole message in one frame as a server sends it (unmasked): the same bytes serve every client."""
    length = len(payload)
    first = _FIN | opcode
    if length <= _LENGTH_7_MAX:
        header = bytes((first, length))
    elif length <= _LENGTH_16_MAX:
        header = bytes((first, 126)) + length.to_bytes(2, "big")
    else:
        header = bytes((first, 127)) + length.to_bytes(8, "big")
    return header + payload


class MessageAssembler:
    """Joins the fragments of one connection's messages."""

    def __init__(self, message_bytes_max: int) -> None:
        self._message_bytes_max = message_bytes_max
        self._parts: bytearray | None = None

    def add(self, payload: bytes, *, is_continuation: bool, is_final: bool) -> bytes | None:
        """The message that this frame completes, or None. Raises `MessageTooLong`, `FragmentOutOfOrder`."""
        if is_continuation != (self._parts is not None):
            raise FragmentOutOfOrder
        if len(payload) + len(self._parts or b"") > self._message_bytes_max:
            raise MessageTooLong
        if self._parts is None:
            if is_final:
                return payload
            self._parts = bytearray(payload)
            return None
        self._parts += payload
        if not is_final:
            return None
        message = bytes(self._parts)
        self._parts = None
        return message
