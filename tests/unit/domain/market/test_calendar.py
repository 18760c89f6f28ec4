"""Sessions of a market that never closes are the days of New York, in summer and in winter."""

from datetime import UTC, datetime

import pytest

from tradewind.domain.market.calendar import AroundTheClock


def _ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("at", "close"),
    [
        ("2024-01-15T12:00:00", "2024-01-16T05:00:00"),  # winter: UTC-5
        ("2024-07-15T12:00:00", "2024-07-16T04:00:00"),  # summer: UTC-4
        ("2024-03-10T06:00:00", "2024-03-11T04:00:00"),  # the day that has 23 hours
        ("2024-11-03T04:00:00", "2024-11-04T05:00:00"),  # the day that has 25 hours
        ("2024-07-16T03:59:59", "2024-07-16T04:00:00"),
        ("2024-07-16T04:00:00", "2024-07-17T04:00:00"),  # midnight belongs to the new day
    ],
)
def test_a_session_ends_at_midnight_in_new_york(at: str, close: str) -> None:
    calendar = AroundTheClock()
    assert calendar.session_close_ns(_ns(at)) == _ns(close)
    assert calendar.next_close_ns(_ns(at)) == calendar.next_open_ns(_ns(at)) == _ns(close)
    assert calendar.is_open(_ns(at))


def test_answers_do_not_depend_on_earlier_questions() -> None:
    calendar = AroundTheClock()
    assert calendar.session_close_ns(_ns("2024-07-15T12:00:00")) == _ns("2024-07-16T04:00:00")
    assert calendar.session_close_ns(_ns("2024-01-15T12:00:00")) == _ns("2024-01-16T05:00:00")
    assert calendar.session_close_ns(_ns("2024-07-15T12:00:00")) == _ns("2024-07-16T04:00:00")


@pytest.mark.parametrize(
    ("at", "close"),
    [
        ("2024-01-15T12:00:00", "2024-01-15T05:00:00"),
        ("2024-07-16T03:59:59", "2024-07-15T04:00:00"),
        ("2024-07-16T04:00:00", "2024-07-16T04:00:00"),  # the close itself has ended the session
        ("2024-11-04T04:59:59", "2024-11-03T04:00:00"),
    ],
)
def test_the_previous_close_is_the_last_midnight_in_new_york(at: str, close: str) -> None:
    assert AroundTheClock().previous_close_ns(_ns(at)) == _ns(close)
