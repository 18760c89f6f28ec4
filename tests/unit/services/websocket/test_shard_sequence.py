"""Whatever order and however often a shard's events arrive, they leave once each and in order."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.services.websocket.makers import acknowledged, notice
from tradewind.services.websocket import shard_sequence
from tradewind.services.websocket.shard_sequence import ShardSequence


def drain(sequence: ShardSequence) -> list[int]:
    told = []
    while event := sequence.next_event():
        told.append(event.seq)
        sequence.advance()
    return told


@given(st.lists(st.integers(1, 30), max_size=100), st.integers(0, 5))
def test_events_leave_once_and_in_order(arrivals: list[int], last_seq: int) -> None:
    sequence = ShardSequence(last_seq)
    told: list[int] = []
    for seq in arrivals:
        sequence.offer(notice(seq, acknowledged()))
        told += drain(sequence)
    expected = last_seq
    while expected + 1 in arrivals:
        expected += 1
    assert told == list(range(last_seq + 1, expected + 1))
    later = {seq for seq in arrivals if seq > expected}
    assert sequence.missing_count == (min(later) - expected - 1 if later else 0)


def test_the_buffer_is_bounded_and_still_lets_the_missing_event_in() -> None:
    sequence = ShardSequence(0)
    for seq in range(2, shard_sequence.REORDER_EVENTS_MAX + 10):
        sequence.offer(notice(seq, acknowledged()))
    assert sequence.holds(shard_sequence.REORDER_EVENTS_MAX + 1)
    assert not sequence.holds(shard_sequence.REORDER_EVENTS_MAX + 2)
    sequence.offer(notice(1, acknowledged()))
    assert len(drain(sequence)) == shard_sequence.REORDER_EVENTS_MAX + 1
