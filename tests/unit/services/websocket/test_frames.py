"""Messages are framed as RFC 6455 wants, and fragments become the message that was cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.services.websocket.frames import (
    FragmentOutOfOrder,
    MessageAssembler,
    MessageTooLong,
    Opcode,
    data_opcode,
    server_frame,
)


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_frame_states_its_length_in_the_shortest_form(length: int, header: bytes) -> None:
    assert server_frame(Opcode.TEXT, bytes(length)) == header + bytes(length)


def test_binary_messages_are_marked_as_such() -> None:
    assert server_frame(data_opcode(is_binary=True), b"x")[0] == 0x82
    assert server_frame(data_opcode(is_binary=False), b"x")[0] == 0x81


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=8))
def test_fragments_are_joined_in_order(parts: list[bytes]) -> None:
    assembler = MessageAssembler(message_bytes_max=400)
    results = [
        assembler.add(part, is_continuation=number > 0, is_final=number == len(parts) - 1)
        for number, part in enumerate(parts)
    ]
    assert results == [None] * (len(parts) - 1) + [b"".join(parts)]
    assert assembler.add(b"next", is_continuation=False, is_final=True) == b"next"


def test_a_message_that_grows_beyond_the_bound_is_refused() -> None:
    assembler = MessageAssembler(message_bytes_max=10)
    assert assembler.add(b"123456", is_continuation=False, is_final=False) is None
    with pytest.raises(MessageTooLong):
        assembler.add(b"78901", is_continuation=True, is_final=True)


def test_a_continuation_without_a_beginning_is_refused() -> None:
    with pytest.raises(FragmentOutOfOrder):
        MessageAssembler(10).add(b"x", is_continuation=True, is_final=True)


def test_a_new_message_inside_an_unfinished_one_is_refused() -> None:
    assembler = MessageAssembler(10)
    assembler.add(b"x", is_continuation=False, is_final=False)
    with pytest.raises(FragmentOutOfOrder):
        assembler.add(b"y", is_continuation=False, is_final=True)
