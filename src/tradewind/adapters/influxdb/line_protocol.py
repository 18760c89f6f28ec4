"""Bars as InfluxDB's line protocol.

    bars,source=simulated,symbol=AAPL,timeframe=1Min open=100.5,…,vwap=100.2,trade_count=7i,exact="" 1700000000000000000

Numbers are float fields, so that dashboards and InfluxDB's own functions work on them. A float holds every decimal of up
to 15 digits: it gives the same number back. A longer one that would not come back is written once more, digit by
digit, into the text field `exact` ("volume=1234567890.123456789"), which readers prefer. `exact` is always written:
InfluxDB merges the fields of a point that is written again, and an old one must not survive.
"""

from collections.abc import Sequence
from decimal import Decimal

from tradewind.domain.market.ticks import Bar

MEASUREMENT = "bars"
DECIMAL_FIELDS = ("open", "high", "low", "close", "volume", "vwap")
"""The fields that are Decimals, in the order of `select_fields`."""
EXACT_FIELD = "exact"
FLOAT_DIGITS = 15
"""Every decimal of so many significant digits survives the way into a float and back."""

_FLOAT_MAX = Decimal("1.7976931348623157E+308")
_UNWRITABLE = ("\\", "\n", "\r", "\t", "\0")
_ESCAPES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})


def encoded(bars: Sequence[Bar], source: str) -> bytes:
    """The lines of the bars. Raises `ValueError` on a symbol or a number that InfluxDB cannot hold."""
    heads: dict[tuple[str, str], str] = {}
    lines: list[str] = []
    for bar in bars:
        series = (bar.symbol, bar.timeframe)
        head = heads.get(series)
        if head is None:
            head = heads[series] = (
                f"{MEASUREMENT},source={_tag(source)},symbol={_tag(bar.symbol)},timeframe={_tag(bar.timeframe)}"
            )
        lines.append(f"{head} {_fields(bar)} {bar.start_ns}")
    return "\n".join(lines).encode()


def exact_numbers(text: str) -> dict[str, Decimal]:
    """The numbers in a field `exact`, by field; raises `ValueError` when it is none of ours."""
    numbers: dict[str, Decimal] = {}
    for part in text.split():
        field, equals, digits = part.partition("=")
        if not equals or field not in DECIMAL_FIELDS:
            raise ValueError(f"not the exact digits of a bar: {text!r}")
        numbers[field] = Decimal(digits)
    return numbers


def _tag(value: str) -> str:
    if not value or any(character in value for character in _UNWRITABLE):
        raise ValueError(f"InfluxDB cannot hold {value!r} as a name")
    return value.translate(_ESCAPES)


def _fields(bar: Bar) -> str:
    parts: list[str] = []
    exact: list[str] = []
    for field in DECIMAL_FIELDS:
        number: Decimal = getattr(bar, field)
        text = str(number)
        if not _is_surely_kept(text):
            text, is_kept = _nearest_float(number)
            if not is_kept:
                exact.append(f"{field}={number}")
        parts.append(f"{field}={text}")
    return f'{",".join(parts)},trade_count={bar.trade_count}i,{EXACT_FIELD}="{" ".join(exact)}"'


def _is_surely_kept(text: str) -> bool:
    # Exponents, NaN and infinity take the slow way.
    return len(text) <= FLOAT_DIGITS and text.replace(".", "", 1).removeprefix("-").isdigit()


def _nearest_float(number: Decimal) -> tuple[str, bool]:
    """The float as text, and whether it stands for exactly this number."""
    if not number.is_finite():
        raise ValueError(f"a bar cannot hold {number}")
    bounded = max(-_FLOAT_MAX, min(_FLOAT_MAX, number))
    text = repr(float(bounded))
    return text, Decimal(text) == number
