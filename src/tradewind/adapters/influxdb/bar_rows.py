"""InfluxDB's replies as bars."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

from tradewind.adapters.influxdb.client import Answer, Result
from tradewind.adapters.influxdb.errors import InfluxUnavailable
from tradewind.adapters.influxdb.line_protocol import exact_numbers
from tradewind.domain.identifiers import Symbol
from tradewind.domain.market.ticks import Bar

BarRow = tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal, Decimal, int, str]
"""Start, open, high, low, close, volume, vwap, trade count, exact digits: the columns that `influxql` selects.

msgspec makes a Decimal of a number's own text: no float in between.
"""
SummaryRow = tuple[int, Decimal]
"""The time and the value of `count`, `first` or `last`."""

Row = TypeVar("Row")


class Table(msgspec.Struct, Generic[Row]):
    """The rows of one series."""

    values: Sequence[Row] = ()
    tags: dict[str, str] = {}


class TableResult(Result, Generic[Row]):
    """The series of a statement."""

    series: Sequence[Table[Row]] = ()


class TableAnswer(Answer, Generic[Row]):
    """A part of a reply that holds tables."""

    results: Sequence[TableResult[Row]] = ()


BARS = msgspec.json.Decoder(TableAnswer[BarRow])
SUMMARIES = msgspec.json.Decoder(TableAnswer[SummaryRow])


def tables(parts: Iterable[TableAnswer[Row]]) -> Iterator[Table[Row]]:
    """All tables of a reply; a long one comes in several of the same tags."""
    for part in parts:
        for result in part.results:
            yield from result.series


def bars_of(symbol: Symbol, timeframe: str, rows: Sequence[BarRow]) -> list[Bar]:
    """The bars in the rows. Raises `InfluxUnavailable` on a row that somebody else wrote."""
    bars: list[Bar] = []
    for start_ns, open_, high, low, close, volume, vwap, trade_count, exact in rows:
        bar = Bar(symbol, timeframe, start_ns, open_, high, low, close, volume, trade_count, vwap)
        bars.append(_exact_bar(bar, exact) if exact else bar)
    return bars


def _exact_bar(bar: Bar, exact: str) -> Bar:
    try:
        return msgspec.structs.replace(bar, **exact_numbers(exact))
    except (ValueError, ArithmeticError) as error:
        raise InfluxUnavailable(
            f"a bar of {bar.symbol} in InfluxDB was not written by Tradewind: {error}"
        ) from error
