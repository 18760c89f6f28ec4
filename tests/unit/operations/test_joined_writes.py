"""What one turn of the loop answers reaches the socket as one write, and nothing is lost or held for long."""

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from tradewind.operations.joined_writes import HELD_BYTES_MAX, JoinedWrites, JoinedWritesProtocol


class Wire(asyncio.Transport):
    """Remembers what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.has_ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:  # type: ignore[type-arg]
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.has_ended = True

    def abort(self) -> None:
        self.has_ended = True

    def is_closing(self) -> bool:
        return self.has_ended


class Turn:
    """One turn of an event loop: what is to happen at its end."""

    def __init__(self) -> None:
        self.wire = Wire()
        self._at_end: list[Callable[[], None]] = []
        self.transport = JoinedWrites(self.wire, self._at_end.append)

    def end(self) -> None:
        while self._at_end:
            self._at_end.pop(0)()


def test_head_and_body_are_one_write_at_the_end_of_the_turn() -> None:
    turn = Turn()
    turn.transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    turn.transport.write(bytearray(b"{}"))
    assert turn.wire.writes == []
    turn.end()
    assert turn.wire.writes == [b"HTTP/1.1 200 OK\r\n\r\n{}"]


def test_the_next_turn_writes_again() -> None:
    turn = Turn()
    for body in (b"first", b"second"):
        turn.transport.write(body)
        turn.end()
    assert turn.wire.writes == [b"first", b"second"]


def test_much_is_not_held_until_the_end() -> None:
    turn = Turn()
    turn.transport.write(b"x" * HELD_BYTES_MAX)
    turn.transport.write(b"y")
    turn.transport.write(b"z")
    assert turn.wire.writes == [b"x" * HELD_BYTES_MAX + b"y"]
    turn.end()
    assert turn.wire.writes[1:] == [b"z"]


def test_closing_writes_what_is_held_first() -> None:
    turn = Turn()
    turn.transport.write(b"goodbye")
    turn.transport.close()
    assert turn.wire.writes == [b"goodbye"]
    assert turn.transport.is_closing()
    turn.end()
    assert turn.wire.writes == [b"goodbye"]


def test_aborting_drops_what_is_held() -> None:
    turn = Turn()
    turn.transport.write(b"too late")
    turn.transport.abort()
    turn.end()
    assert turn.wire.writes == []
    assert turn.wire.has_ended


async def test_an_answer_of_the_server_is_one_write() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    config = uvicorn.Config(app, http=JoinedWritesProtocol, lifespan="off", log_config=None)
    config.load()
    protocol = JoinedWritesProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    wire = Wire()
    protocol.connection_made(wire)
    protocol.data_received(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
    async with asyncio.timeout(1):
        while not wire.writes:  # noqa: ASYNC110 - a wire tells nobody
            await asyncio.sleep(0)
    [answer] = wire.writes
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n{}")
    protocol.connection_lost(None)
