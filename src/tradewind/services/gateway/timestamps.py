"""Times as RFC 3339 text in a zone, exact to the nanosecond."""

from datetime import datetime
from zoneinfo import ZoneInfo

EASTERN = "America/New_York"
_NS_PER_S = 1_000_000_000
_UTC_OFFSET = "+00:00"
_SECOND_LENGTH = len("2024-01-02T10:04:05")


def rfc3339(ts_ns: int, zone: str = "UTC") -> str:
    """`2024-01-02T10:04:05.000000001-05:00`; the fraction is left out when zero, UTC is `Z`."""
    seconds, fraction_ns = divmod(ts_ns, _NS_PER_S)
    text = datetime.fromtimestamp(seconds, ZoneInfo(zone)).isoformat()
    second, offset = text[:_SECOND_LENGTH], text[_SECOND_LENGTH:]
    fraction = f".{fraction_ns:09d}" if fraction_ns else ""
    return second + fraction + ("Z" if offset == _UTC_OFFSET else offset)
