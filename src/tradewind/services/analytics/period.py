"""The period that a request asks about, from its query parameters, and the times at which it is valued."""

from datetime import UTC, date, datetime

import msgspec

from tradewind.domain.market.timeframe import ALLOWED, NS_PER_S, Timeframe
from tradewind.services.analytics.errors import InvalidParameter

POINTS_MAX = 20_000
"""Most points of an equity curve; a request for more is refused."""

ALLOWED_TIMES = "a date 2024-01-31 or an RFC 3339 time with its zone, 2024-01-31T15:04:05Z"
TRADES_LIMIT_MAX = 1_000
_NS_PER_US = 1_000
_DAY_NS = 86_400 * NS_PER_S
# Fine enough to draw, coarse enough to be quick; the steps of Alpaca's portfolio history.
_DEFAULT_TIMEFRAMES = ((_DAY_NS, "1Min"), (30 * _DAY_NS, "15Min"))
_DEFAULT_TIMEFRAME = "1Day"


class RequestedPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """What the request says; None means the default."""

    start_ns: int | None = None
    end_ns: int | None = None
    timeframe: Timeframe | None = None


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """From `start_ns` to `end_ns`, both inclusive, in steps of `timeframe`."""

    start_ns: int
    end_ns: int
    timeframe: Timeframe

    def times_ns(self) -> list[int]:
        """The start, every boundary of the timeframe after it, and the end. Raises `InvalidParameter`."""
        step_ns = self.timeframe.duration_ns
        if (self.end_ns - self.start_ns) // step_ns + 2 > POINTS_MAX:
            allowed = f"one that gives at most {POINTS_MAX} points from start to end, or a shorter period"
            raise InvalidParameter("timeframe", str(self.timeframe), allowed)
        first_boundary_ns = self.timeframe.start_of(self.start_ns) + step_ns
        times = [self.start_ns, *range(first_boundary_ns, self.end_ns, step_ns)]
        return [*times, self.end_ns] if self.end_ns > self.start_ns else times


def parse_period(start: str | None, end: str | None, timeframe: str | None) -> RequestedPeriod:
    """Read the query parameters; raises `InvalidParameter` that names the first bad one."""
    return RequestedPeriod(
        start_ns=None if start is None else _parse_time("start", start),
        end_ns=None if end is None else _parse_time("end", end),
        timeframe=None if timeframe is None else _parse_timeframe(timeframe),
    )


def parse_limit(text: str | None, default: int) -> int:
    """Read how many rows to answer; raises `InvalidParameter`."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(TRADES_LIMIT_MAX))):
        raise InvalidParameter("limit", text, f"1 to {TRADES_LIMIT_MAX}")
    limit = int(text)
    if not 1 <= limit <= TRADES_LIMIT_MAX:
        raise InvalidParameter("limit", text, f"1 to {TRADES_LIMIT_MAX}")
    return limit


def resolve_period(requested: RequestedPeriod, opened_at_ns: int, now_ns: int) -> Period:
    """Fill in the defaults: from the account's opening until now. Nothing before or after those exists.

    Raises `InvalidParameter` when the period would end before it starts.
    """
    now_ns = max(now_ns, opened_at_ns)  # another machine's clock may be ahead of ours
    end_ns = now_ns if requested.end_ns is None else min(requested.end_ns, now_ns)
    start_ns = opened_at_ns if requested.start_ns is None else max(requested.start_ns, opened_at_ns)
    if start_ns > end_ns:
        if requested.start_ns is not None and requested.start_ns > end_ns:
            raise InvalidParameter(
                "start", to_datetime(requested.start_ns).isoformat(), "a time before the end"
            )
        shown = to_datetime(end_ns).isoformat()
        raise InvalidParameter(
            "end", shown, f"from {to_datetime(opened_at_ns).isoformat()}, the account's opening, on"
        )
    return Period(
        start_ns=start_ns,
        end_ns=end_ns,
        timeframe=requested.timeframe or _default_timeframe(end_ns - start_ns),
    )


def to_datetime(ts_ns: int) -> datetime:
    """The UTC time, to the microsecond (rounded down)."""
    seconds, fraction_ns = divmod(ts_ns, NS_PER_S)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=fraction_ns // _NS_PER_US)


def _default_timeframe(duration_ns: int) -> Timeframe:
    text = next(
        (text for limit_ns, text in _DEFAULT_TIMEFRAMES if duration_ns <= limit_ns), _DEFAULT_TIMEFRAME
    )
    return Timeframe.parse(text)


def _parse_timeframe(text: str) -> Timeframe:
    try:
        return Timeframe.parse(text)
    except ValueError:
        raise InvalidParameter("timeframe", text, ALLOWED) from None


def _parse_time(name: str, text: str) -> int:
    try:
        moment = _moment(text)
    except (ValueError, msgspec.ValidationError):
        raise InvalidParameter(name, text, ALLOWED_TIMES) from None
    since_epoch = moment - datetime.fromtimestamp(0, UTC)
    microseconds = (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000 + since_epoch.microseconds
    return microseconds * _NS_PER_US


def _moment(text: str) -> datetime:
    if len(text) == len("2024-01-31"):
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    # An unencoded "+" of a zone arrives as a space.
    moment = msgspec.convert(text.replace(" ", "+"), datetime)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment.astimezone(UTC)
