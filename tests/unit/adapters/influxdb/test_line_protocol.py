"""Bars on their way to InfluxDB: every number survives the float, every name survives the line."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.adapters.influxdb.line_protocol import DECIMAL_FIELDS, encoded, exact_numbers
from tradewind.domain.market.ticks import Bar

ONE = Decimal(1)
BAR = Bar("AAPL", "1Min", 60_000_000_000, ONE, ONE, ONE, ONE, ONE, 7, ONE)
NUMBERS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**15), max_value=10**15),
    st.decimals(allow_nan=False, allow_infinity=False),
)


def fields_of(bar: Bar) -> dict[str, str]:
    line = encoded([bar], "imported").decode()
    fields = line.split(" ", 1)[1].rsplit(" ", 1)[0]
    plain, exact = fields.split(',exact="')
    return {**dict(part.split("=") for part in plain.split(",")), "exact": exact.removesuffix('"')}


def test_a_bar_is_one_line_with_its_series_its_numbers_and_its_start() -> None:
    bar = msgspec.structs.replace(BAR, open=Decimal("100.25"), volume=Decimal("0.00000001"))
    series = "bars,source=simulated,symbol=AAPL,timeframe=1Min"
    assert encoded([bar, BAR], "simulated").decode().splitlines() == [
        f'{series} open=100.25,high=1,low=1,close=1,volume=1e-08,vwap=1,trade_count=7i,exact="" 60000000000',
        f'{series} open=1,high=1,low=1,close=1,volume=1,vwap=1,trade_count=7i,exact="" 60000000000',
    ]


@given(NUMBERS)
def test_a_number_comes_back_exactly_whatever_its_digits(number: Decimal) -> None:
    fields = fields_of(msgspec.structs.replace(BAR, volume=number))
    # The server keeps the nearest float and prints the shortest digits that name it, as Python does.
    kept = Decimal(repr(float(fields["volume"])))
    assert {"volume": kept, **exact_numbers(fields["exact"])}["volume"] == number


def test_only_a_number_that_no_float_holds_is_written_out() -> None:
    assert fields_of(BAR)["exact"] == ""
    long = msgspec.structs.replace(BAR, volume=Decimal("1234567890.123456789"), vwap=Decimal("0.1"))
    assert fields_of(long)["exact"] == "volume=1234567890.123456789"


@pytest.mark.parametrize("symbol", ["", "A\nbars x=1", "A\\"])
def test_a_name_that_would_break_out_of_its_line_is_refused(symbol: str) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        encoded([msgspec.structs.replace(BAR, symbol=symbol)], "imported")


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot hold NaN"):
        encoded([msgspec.structs.replace(BAR, close=Decimal("NaN"))], "imported")


@pytest.mark.parametrize("text", ["volume", "colour=1", "volume=one"])
def test_digits_that_somebody_else_wrote_are_not_believed(text: str) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        exact_numbers(text)


def test_every_number_of_a_bar_is_written() -> None:
    assert {*DECIMAL_FIELDS, "symbol", "timeframe", "start_ns", "trade_count"} == set(Bar.__struct_fields__)
