"""InfluxQL statements on the stored bars. Names and values are quoted here and nowhere else."""

from collections.abc import Sequence

from tradewind.adapters.influxdb.line_protocol import DECIMAL_FIELDS, EXACT_FIELD, MEASUREMENT
from tradewind.domain.identifiers import Symbol

TIME_NS_MIN = -9_223_372_036_854_775_806
TIME_NS_MAX = 9_223_372_036_854_775_806
"""InfluxDB's first and last moment; one outside is taken for them."""


def _escaped(text: str, quote: str) -> str:
    return text.replace("\\", "\\\\").replace(quote, "\\" + quote).replace("\n", "\\n")


def name(identifier: str) -> str:
    """A quoted identifier."""
    return '"' + _escaped(identifier, '"') + '"'


def value(text: str) -> str:
    """A quoted string."""
    return "'" + _escaped(text, "'") + "'"


_COLUMNS = ", ".join(name(field) for field in (*DECIMAL_FIELDS, "trade_count", EXACT_FIELD))
_FROM = f"FROM {name(MEASUREMENT)}"

PROBE = f"SELECT last({name('close')}) {_FROM} WHERE {name('source')} = {value('')}"
"""Costs nothing and finds nothing, but takes a server that works and the right to read."""


def series(source: str, timeframe: str) -> str:
    """The condition for the bars of a source and timeframe."""
    return f"{name('source')} = {value(source)} AND {name('timeframe')} = {value(timeframe)}"


def bars_between(series: str, symbol: Symbol, start_ns: int, end_ns: int, limit: int) -> str:
    """The bars that start in `[start_ns, end_ns)`, oldest first."""
    return (
        f"SELECT {_COLUMNS} {_FROM} WHERE {series} AND {name('symbol')} = {value(symbol)}"
        f" AND time >= {_time(start_ns)} AND time < {_time(end_ns)} ORDER BY time ASC LIMIT {limit}"
    )


def newest_bars(series: str, symbols: Sequence[Symbol], before_ns: int) -> str:
    """Of each symbol (without symbols: of all) the newest bar that starts before `before_ns`."""
    wanted = " OR ".join(f"{name('symbol')} = {value(symbol)}" for symbol in symbols)
    chosen = f" AND ({wanted})" if wanted else ""
    return (
        f"SELECT {_COLUMNS} {_FROM} WHERE {series}{chosen} AND time < {_time(before_ns)}"
        f" GROUP BY {name('symbol')} ORDER BY time DESC LIMIT 1"
    )


def summary(function: str, source: str) -> str:
    """`count`, `first` or `last` of the closes of each symbol and timeframe; the latter two with their time."""
    return (
        f"SELECT {function}({name('close')}) {_FROM} WHERE {name('source')} = {value(source)}"
        f" GROUP BY {name('symbol')}, {name('timeframe')}"
    )


def delete_before(series: str, before_ns: int) -> str:
    """Delete what starts before `before_ns` (1.x only)."""
    return f"DELETE {_FROM} WHERE {series} AND time < {_time(before_ns)}"


def _time(ts_ns: int) -> int:
    return max(TIME_NS_MIN, min(TIME_NS_MAX, ts_ns))
