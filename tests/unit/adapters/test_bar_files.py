"""Files that users bring: read exactly, or refused with the place and the mend."""

from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.adapters.files.bar_files import BarFileError, read_bars
from tradewind.domain.market.ticks import Bar
from tradewind.domain.market.timeframe import Timeframe

DAY = Timeframe.parse("1Day")
MINUTE = Timeframe.parse("1Min")
DAY_NS = 86_400_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read_csv(folder: Path, text: str, timeframe: Timeframe = DAY) -> list[Bar]:
    path = folder / "bars.csv"
    path.write_text(text)
    return read_bars(path, "AAPL", timeframe)


def damage(folder: Path, text: str, timeframe: Timeframe = DAY) -> str:
    with pytest.raises(BarFileError) as caught:
        read_csv(folder, text, timeframe)
    message = str(caught.value)
    assert "\n" not in message
    return message.partition(": ")[2]


def test_columns_in_any_case_and_order_and_exact_decimals(folder: Path) -> None:
    text = "Ticker,Close,HIGH,low,Open,Date,Volume\nAAPL,130.310,132.06,118.5,118.56,2000-03-01,9616100\n"
    assert read_csv(folder, text) == [
        Bar(
            symbol="AAPL",
            timeframe="1Day",
            start_ns=11_017 * DAY_NS,
            open=Decimal("118.56"),
            high=Decimal("132.06"),
            low=Decimal("118.5"),
            close=Decimal("130.310"),
            volume=Decimal(9_616_100),
            trade_count=0,
            vwap=Decimal("126.956666667"),
        )
    ]


@pytest.mark.parametrize(
    "time",
    ["2024-01-02T03:04:00Z", "2024-01-02 03:04", "2024-01-02T04:04:00+01:00", "1704164640", "1704164640000"],
)
def test_times_in_every_usual_form(folder: Path, time: str) -> None:
    bar = read_csv(folder, f"t,o,h,l,c,v\n{time},1,1,1,1,0\n", MINUTE)[0]
    assert bar.start_ns == int(datetime(2024, 1, 2, 3, 4, tzinfo=UTC).timestamp()) * 1_000_000_000


def test_a_daily_bar_may_carry_any_hour_and_volume_may_be_missing(folder: Path) -> None:
    bar = read_csv(folder, "time,open,high,low,close\n2024-01-02 14:30,1,1,1,1\n")[0]
    assert (bar.start_ns % DAY_NS, bar.volume) == (0, Decimal(0))


GOOD = "date,open,high,low,close,volume\n2024-01-02,10,12,9,11,100\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2024-01-03,10,12,x,11,5", "line 3, column low: 'x' is not allowed (allowed: a decimal number such as 101.25)"),
        ("2024-01-03,NaN,12,9,11,5", "line 3, column open: 'NaN' is not allowed (allowed: a decimal number such as 101.25)"),
        ("2024-01-03,0,12,9,11,5", "line 3, column open: '0' is not allowed (allowed: greater than 0)"),
        ("2024-01-03,10,12,9,11,-5", "line 3, column volume: '-5' is not allowed (allowed: 0 or more)"),
        ("2024-01-03,10,10.5,9,11,5", "line 3, column high: '10.5' is not allowed (allowed: at least open, low and close)"),
        ("2024-01-03,10,12,10.5,11,5", "line 3, column low: '10.5' is not allowed (allowed: at most open, high and close)"),
        ("2024-01-02,10,12,9,11,5", "line 3, column time: '2024-01-02' is not allowed (allowed: later than the line before)"),
        ("2024-01-01,10,12,9,11,5", "line 3, column time: '2024-01-01' is not allowed (allowed: later than the line before)"),
        (
            "3 January,10,12,9,11,5",
            "line 3, column time: '3 January' is not allowed (allowed: an ISO date or date-time, or seconds or milliseconds since 1970)",
        ),
        ("2024-01-03,1e15,1e15,9,11,5", "line 3, column open: '1e15' is not allowed (allowed: less than 1000000000000000)"),
        ("2024-01-03,10,12,9", "line 3: 4 values, but the header has 6 columns"),
    ],
)  # fmt: skip
def test_damage_is_named_by_line_column_and_value(folder: Path, line: str, message: str) -> None:
    assert damage(folder, GOOD + line + "\n2024-01-04,10,12,9,11,100\n") == message


def test_a_missing_or_ambiguous_column_is_named(folder: Path) -> None:
    assert (
        damage(folder, "date,open,high,low\n")
        == "line 1: there is no column for close (allowed, in any case: close, c)"
    )
    assert (
        damage(folder, "date,time,open,high,low,close\n")
        == "line 1: several columns could be time: date, time"
    )


def test_minutes_that_are_not_on_the_minute_show_a_wrong_timeframe(folder: Path) -> None:
    assert damage(folder, "t,o,h,l,c\n2024-01-02T00:00:30Z,1,1,1,1\n", MINUTE) == (
        "line 2, column time: '2024-01-02T00:00:30Z' is not allowed "
        "(allowed: a multiple of 1Min (is the timeframe right?))"
    )


def test_files_that_are_no_bars(folder: Path) -> None:
    assert (
        damage(folder, "")
        == "line 1: there is no column for time (allowed, in any case: timestamp, date, datetime, time, t)"
    )
    assert damage(folder, "date,open,high,low,close\n") == "there are no bars in it"
    (folder / "bars.csv").write_bytes(b"date,open\n\xff\xfe\x00")
    with pytest.raises(BarFileError, match="not a text file in UTF-8"):
        read_bars(folder / "bars.csv", "AAPL", DAY)
    (folder / "bars.parquet").write_bytes(b"not parquet")
    with pytest.raises(BarFileError, match="not a Parquet file"):
        read_bars(folder / "bars.parquet", "AAPL", DAY)
    with pytest.raises(BarFileError, match="no such file"):
        read_bars(folder / "none.csv", "AAPL", DAY)
    with pytest.raises(BarFileError, match=r"allowed: \.csv, \.parquet"):
        read_bars(folder / "bars.xlsx", "AAPL", DAY)


@pytest.mark.parametrize(
    "times",
    [[date(2024, 1, 2), date(2024, 1, 3)], [datetime(2024, 1, 2), datetime(2024, 1, 3)]],  # noqa: DTZ001
)
def test_parquet_gives_the_same_bars_as_csv(folder: Path, times: list[date]) -> None:
    pl.DataFrame(
        {
            "Date": times,
            "Open": [10.1, 11.0],
            "High": [12.0, 12.25],
            "Low": [9.0, 10.0],
            "Close": [11.0, 10.5],
            "Volume": [100, 200],
        }
    ).write_parquet(folder / "bars.parquet")
    text = "date,open,high,low,close,volume\n2024-01-02,10.1,12,9,11,100\n2024-01-03,11,12.25,10,10.5,200\n"
    assert read_bars(folder / "bars.parquet", "AAPL", DAY) == read_csv(folder, text)


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_whatever_stands_in_a_file_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(GOOD + text, encoding="utf-8", errors="replace", newline="")
    with suppress(BarFileError):
        assert read_bars(path, "AAPL", DAY)
