"""Reads bars from CSV and Parquet files: everything is checked before anything is returned.

Columns are found by their usual names in any case and order; others are ignored. A time is an ISO 8601 date or
date-time (UTC when it names no zone), or seconds or milliseconds since the epoch. Numbers in CSV become the exact
decimals that the text says.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path

import msgspec
import polars as pl

from tradewind.domain.decimals import MAX_MAGNITUDE, ZERO
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.ticks import Bar
from tradewind.domain.market.timeframe import Timeframe

FILE_BARS_MAX = 5_000_000
"""Bars in one file; cut a larger one."""

COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "time": ("timestamp", "date", "datetime", "time", "t"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
}
"""What a column may be called, in any case."""

MILLISECONDS_FROM = 100_000_000_000
"""A bare number from here on is milliseconds (1973 and later); below it is seconds (until the year 5138)."""

_PRICES = ("open", "high", "low", "close")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = "an ISO date or date-time, or seconds or milliseconds since 1970"
_AVERAGE_QUANTUM = Decimal("0.000000001")
_LARGEST_NS = (1 << 63) - 1


class BarFileError(Exception):
    """A file that is not imported; the message names line, column, value and what is allowed, in one line."""


class _Row(msgspec.Struct):
    """One line's raw values; `line` counts from 1 as editors do (rows, for Parquet)."""

    line: int
    values: dict[str, object]


def read_bars(path: Path, symbol: Symbol, timeframe: Timeframe) -> list[Bar]:
    """All bars of a `.csv` or `.parquet` file, oldest first. Raises `BarFileError`."""
    readers = {".csv": _csv_rows, ".parquet": _parquet_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BarFileError(f"{path}: files of this kind are not read (allowed: {', '.join(readers)})")
    if not path.is_file():
        raise BarFileError(f"{path}: there is no such file")
    bars: list[Bar] = []
    try:
        for row in reader(path):
            bar = _bar(row, symbol, timeframe)
            if bars and bar.start_ns <= bars[-1].start_ns:
                raise _damage(row.line, "time", row.values["time"], "later than the line before")
            bars.append(bar)
            if len(bars) > FILE_BARS_MAX:
                raise BarFileError(f"more than {FILE_BARS_MAX} bars: cut the file")
    except BarFileError as error:
        raise BarFileError(f"{path}: {error}") from error
    if not bars:
        raise BarFileError(f"{path}: there are no bars in it")
    return bars


def _csv_rows(path: Path) -> Iterator[_Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, strict=True)
            header = next(lines, [])
            places = _places(header)
            for fields in lines:
                if fields:
                    yield _Row(lines.line_num, _picked(lines.line_num, header, fields, places))
    except UnicodeDecodeError as error:
        raise BarFileError(f"not a text file in UTF-8: {error.reason} at byte {error.start}") from error
    except csv.Error as error:
        raise BarFileError(f"not a CSV file: {error}") from error
    except OSError as error:
        raise BarFileError(f"cannot be read: {error.strerror}") from error


def _picked(
    line: int, header: Sequence[str], fields: Sequence[str], places: Mapping[str, int]
) -> dict[str, object]:
    if len(fields) != len(header):
        raise BarFileError(f"line {line}: {len(fields)} values, but the header has {len(header)} columns")
    return {column: fields[place].strip() for column, place in places.items()}


def _parquet_rows(path: Path) -> Iterator[_Row]:
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BarFileError(f"not a Parquet file: {' '.join(str(error).split())}") from error
    places = _places(frame.columns)
    chosen = frame.select([frame.columns[place] for place in places.values()])
    for number, values in enumerate(chosen.iter_rows(), start=1):
        yield _Row(number, dict(zip(places, values, strict=True)))


def _places(header: Sequence[str]) -> dict[str, int]:
    lowered = [name.strip().lower() for name in header]
    places: dict[str, int] = {}
    for column, names in COLUMN_NAMES.items():
        found = [place for place, name in enumerate(lowered) if name in names]
        if len(found) > 1:
            shown = ", ".join(header[place].strip() for place in found)
            raise BarFileError(f"line 1: several columns could be {column}: {shown}")
        if found:
            places[column] = found[0]
        elif column != "volume":
            raise BarFileError(
                f"line 1: there is no column for {column} (allowed, in any case: {', '.join(names)})"
            )
    return places


def _bar(row: _Row, symbol: Symbol, timeframe: Timeframe) -> Bar:
    start_ns = _time(row)
    prices = {column: _number(row, column) for column in _PRICES}
    volume = _number(row, "volume") if "volume" in row.values else ZERO
    for column, price in prices.items():
        if price <= 0:
            raise _damage(row.line, column, row.values[column], "greater than 0")
    if volume < 0:
        raise _damage(row.line, "volume", row.values["volume"], "0 or more")
    others = [prices[column] for column in ("open", "close")]
    if prices["high"] < max(*others, prices["low"]):
        raise _damage(row.line, "high", row.values["high"], "at least open, low and close")
    if prices["low"] > min(others):
        raise _damage(row.line, "low", row.values["low"], "at most open, high and close")
    return Bar(
        symbol=symbol,
        timeframe=str(timeframe),
        start_ns=_aligned(row, start_ns, timeframe),
        **prices,
        volume=volume,
        trade_count=0,
        vwap=_typical(prices),
    )


def _typical(prices: Mapping[str, Decimal]) -> Decimal:
    """The usual stand-in where the average price is not known: (high + low + close) / 3."""
    total = prices["high"] + prices["low"] + prices["close"]
    return (total / 3).quantize(_AVERAGE_QUANTUM, ROUND_HALF_EVEN)


def _aligned(row: _Row, start_ns: int, timeframe: Timeframe) -> int:
    aligned_ns = timeframe.start_of(start_ns)
    # Daily and longer bars carry all sorts of hours (midnight or the opening, here or there): the date is what counts.
    if aligned_ns != start_ns and timeframe.unit not in ("Day", "Week"):
        raise _damage(
            row.line, "time", row.values["time"], f"a multiple of {timeframe} (is the timeframe right?)"
        )
    return aligned_ns


def _number(row: _Row, column: str) -> Decimal:
    value = row.values[column]
    allowed = "a decimal number such as 101.25"
    if value is None or isinstance(value, bool):
        raise _damage(row.line, column, value, allowed)
    try:
        # A float becomes the shortest decimal that means it, which is what its writer saw.
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation as error:
        raise _damage(row.line, column, value, allowed) from error
    if not number.is_finite():
        raise _damage(row.line, column, value, allowed)
    if abs(number) >= MAX_MAGNITUDE:
        raise _damage(row.line, column, value, f"less than {MAX_MAGNITUDE:f}")
    return number


def _time(row: _Row) -> int:
    value = row.values["time"]
    try:
        start_ns = _as_ns(value)
    except (ValueError, OverflowError) as error:
        raise _damage(row.line, "time", value, _TIMES) from error
    if not 0 <= start_ns <= _LARGEST_NS:
        raise _damage(row.line, "time", value, _TIMES)
    return start_ns


def _as_ns(value: object) -> int:
    if isinstance(value, datetime):
        return _since_epoch(value)
    if isinstance(value, date):
        return _since_epoch(datetime(value.year, value.month, value.day, tzinfo=UTC))
    if isinstance(value, int | str) and str(value).isdecimal() and len(str(value)) > len("20240131"):
        number = int(value)
        return number * (1_000_000 if number >= MILLISECONDS_FROM else 1_000_000_000)
    if isinstance(value, str):
        return _since_epoch(datetime.fromisoformat(value))
    raise ValueError("not a time")


def _since_epoch(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    distance = aware - _EPOCH
    return (distance.days * 86_400 + distance.seconds) * 1_000_000_000 + distance.microseconds * 1_000


def _damage(line: int, column: str, value: object, allowed: str) -> BarFileError:
    return BarFileError(f"line {line}, column {column}: {value!r} is not allowed (allowed: {allowed})")
