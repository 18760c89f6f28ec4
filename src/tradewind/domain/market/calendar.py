"""When a market trades: the sessions that DAY orders live in."""

from datetime import datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from tradewind.domain.market.timeframe import NS_PER_S


class SessionCalendar(Protocol):
    """Says when a market is open. Times are nanoseconds since the epoch."""

    def is_open(self, ts_ns: int) -> bool:
        """Whether the market trades at `ts_ns`."""
        ...

    def session_close_ns(self, ts_ns: int) -> int:
        """The end of the session that an order sent at `ts_ns` lives in (the running one, else the next): > `ts_ns`."""
        ...

    def next_open_ns(self, ts_ns: int) -> int:
        """The start of the first session that starts after `ts_ns`."""
        ...

    def next_close_ns(self, ts_ns: int) -> int:
        """The end of the first session that ends after `ts_ns`."""
        ...

    def previous_close_ns(self, ts_ns: int) -> int:
        """The end of the last session that has ended by `ts_ns`: <= `ts_ns`."""
        ...


class AroundTheClock:
    """A market that never closes. Its sessions are the calendar days of New York, one after another."""

    def __init__(self) -> None:
        self._zone = ZoneInfo("America/New_York")
        self._day_start_ns = 0
        self._day_end_ns = 0  # the last day asked about: nearly all questions are about the same one

    def is_open(self, ts_ns: int) -> bool:
        """Always true."""
        return True

    def session_close_ns(self, ts_ns: int) -> int:
        """The next midnight of New York after `ts_ns`."""
        self._turn_to(ts_ns)
        return self._day_end_ns

    def previous_close_ns(self, ts_ns: int) -> int:
        """The last midnight of New York, `ts_ns` itself when it is one."""
        self._turn_to(ts_ns)
        return self._day_start_ns

    def next_open_ns(self, ts_ns: int) -> int:
        """The next midnight of New York: the next day's session starts as this one ends."""
        return self.session_close_ns(ts_ns)

    def next_close_ns(self, ts_ns: int) -> int:
        """The next midnight of New York."""
        return self.session_close_ns(ts_ns)

    def _turn_to(self, ts_ns: int) -> None:
        if not self._day_start_ns <= ts_ns < self._day_end_ns:
            today = datetime.fromtimestamp(ts_ns // NS_PER_S, self._zone).date()
            self._day_start_ns = self._midnight_ns(datetime.combine(today, time()))
            self._day_end_ns = self._midnight_ns(datetime.combine(today + timedelta(days=1), time()))

    def _midnight_ns(self, naive: datetime) -> int:
        return int(naive.replace(tzinfo=self._zone).timestamp()) * NS_PER_S
