"""Times on Alpaca's wires: RFC 3339 text in JSON, the timestamp extension in msgpack; both exact to the nanosecond."""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

NS_PER_S = 1_000_000_000
_SECONDS_CACHED = 256
_TIMESTAMP_EXTENSION = -1
_TIMESTAMP_64_SECONDS_MAX = 1 << 34


def rfc3339(ts_ns: int) -> str:
    """UTC text of nanoseconds since the epoch, as short as exact: `2024-01-02T15:04:05.123456789Z`."""
    seconds, fraction_ns = divmod(ts_ns, NS_PER_S)
    if not fraction_ns:
        return f"{_second_text(seconds)}Z"
    fraction = f"{fraction_ns:09d}".rstrip("0")
    return f"{_second_text(seconds)}.{fraction}Z"


def rfc3339_or_none(ts_ns: int | None) -> str | None:
    """`rfc3339`, with None for what has not happened."""
    return None if ts_ns is None else rfc3339(ts_ns)


def msgpack_timestamp(ts_ns: int) -> msgspec.msgpack.Ext:
    """The msgpack timestamp extension (type -1) of nanoseconds since the epoch, 64 bits where they suffice."""
    seconds, fraction_ns = divmod(ts_ns, NS_PER_S)
    if 0 <= seconds < _TIMESTAMP_64_SECONDS_MAX:
        return msgspec.msgpack.Ext(_TIMESTAMP_EXTENSION, (fraction_ns << 34 | seconds).to_bytes(8, "big"))
    data = fraction_ns.to_bytes(4, "big") + seconds.to_bytes(8, "big", signed=True)
    return msgspec.msgpack.Ext(_TIMESTAMP_EXTENSION, data)


@lru_cache(maxsize=_SECONDS_CACHED)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
