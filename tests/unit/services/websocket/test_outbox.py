"""Frames wait in a bounded queue and leave many at a time."""

from collections.abc import Callable

from tradewind.services.websocket.outbox import Outbox


class Wire:
    """Collects writes; `soon` holds what was asked to run at the turn's end."""

    def __init__(self, bytes_max: int = 100, frames_max: int = 10, write_bytes: int = 8) -> None:
        self.writes: list[bytes] = []
        self.soon: list[Callable[[], None]] = []
        self.outbox = Outbox(
            self.writes.append,
            self.soon.append,
            bytes_max=bytes_max,
            frames_max=frames_max,
            write_bytes=write_bytes,
        )


def test_frames_of_one_turn_leave_in_joined_writes() -> None:
    wire = Wire()
    for frame in (b"aaa", b"bbb", b"ccc", b"ddd"):
        assert wire.outbox.push(frame)
    assert wire.writes == []
    assert len(wire.soon) == 1
    wire.soon.pop()()
    assert wire.writes == [b"aaabbbccc", b"ddd"]
    assert wire.outbox.waiting_bytes == 0


def test_nothing_is_written_while_the_transport_is_full() -> None:
    wire = Wire()
    wire.outbox.pause()
    wire.outbox.push(b"late")
    assert wire.soon == []
    wire.outbox.resume()
    assert wire.writes == [b"late"]


def test_the_queue_is_bounded_in_bytes_and_in_frames() -> None:
    by_bytes = Wire(bytes_max=5)
    assert by_bytes.outbox.push(b"12345")
    assert not by_bytes.outbox.push(b"6")
    by_frames = Wire(frames_max=2)
    assert by_frames.outbox.push(b"1")
    assert by_frames.outbox.push(b"2")
    assert not by_frames.outbox.push(b"3")
    by_frames.soon.pop()()
    assert by_frames.writes == [b"12"]
    assert by_frames.outbox.push(b"3")


def test_what_was_dropped_is_never_written() -> None:
    wire = Wire()
    wire.outbox.push(b"old")
    wire.outbox.clear()
    wire.outbox.push(b"new")
    assert wire.outbox.take_all() == b"new"
    wire.soon.pop()()
    assert wire.writes == []
