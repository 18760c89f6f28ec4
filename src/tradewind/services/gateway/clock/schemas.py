"""Alpaca's Clock object."""

import msgspec

from tradewind.domain.market.calendar import SessionCalendar
from tradewind.services.gateway.timestamps import EASTERN, rfc3339


class AlpacaClock(msgspec.Struct, frozen=True, kw_only=True):
    """Times are RFC 3339 with New York's offset."""

    timestamp: str
    is_open: bool
    next_open: str
    next_close: str


def alpaca_clock(calendar: SessionCalendar, now_ns: int) -> AlpacaClock:
    """The clock at `now_ns`."""
    return AlpacaClock(
        timestamp=rfc3339(now_ns, EASTERN),
        is_open=calendar.is_open(now_ns),
        next_open=rfc3339(calendar.next_open_ns(now_ns), EASTERN),
        next_close=rfc3339(calendar.next_close_ns(now_ns), EASTERN),
    )
