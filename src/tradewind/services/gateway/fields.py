"""Reads what clients send, strictly: each failure names the field, its value and what is allowed.

Numbers in JSON are taken from their text, so `12.30` and `"12.30"` are the same exact decimal.
"""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from tradewind.services.gateway.errors import BAD_BODY, ApiError, bad_value, missing

MAX_NUMBER_LENGTH = 64
MAX_EXPONENT = 40
"""Decimals must lie between 1e-40 and 1e40: what lies beyond cannot be an amount of anything."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_PLAIN_NUMBER = "a decimal number, as JSON number or string"
_UUID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9})\d*)?(Z|z|[+\- ]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))
_NS_PER_S = 1_000_000_000
_TIME_ALLOWED = "RFC 3339 such as 2024-01-02T15:04:05Z, or a date"

Choice = TypeVar("Choice", bound=StrEnum)


class NumberText(str):
    """The text of a JSON number with a fraction or an exponent."""

    __slots__ = ()


_DECODER = msgspec.json.Decoder(float_hook=NumberText)


def decode_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; integers are int, other numbers `NumberText`. Raises `ApiError` (400)."""
    try:
        value = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ApiError(400, BAD_BODY, f"request body format is invalid: {why}") from error
    if not isinstance(value, dict):
        raise ApiError(400, BAD_BODY, "request body format is invalid: expected a JSON object")
    return value


def decimal_field(fields: dict[str, Any], name: str) -> Decimal | None:
    """An exact decimal; None when absent or null. Raises `ApiError`."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        return parse_decimal(name, value)
    if isinstance(value, int) and not isinstance(value, bool):
        return parse_decimal(name, str(value))
    raise bad_value(name, value, _PLAIN_NUMBER)


def parse_decimal(name: str, text: str) -> Decimal:
    """An exact decimal from plain or exponent notation. Raises `ApiError`."""
    if len(text) > MAX_NUMBER_LENGTH or not _NUMBER.fullmatch(text):
        raise bad_value(name, text, _PLAIN_NUMBER)
    number = Decimal(text)
    _, _, exponent = number.as_tuple()
    if number and not (int(exponent) >= -MAX_EXPONENT and number.adjusted() <= MAX_EXPONENT):
        raise bad_value(name, text, f"between 1e-{MAX_EXPONENT} and 1e{MAX_EXPONENT}")
    return number or Decimal(0)


def choice_field(
    fields: dict[str, Any], name: str, choices: type[Choice], unsupported: Collection[str] = ()
) -> Choice | None:
    """One of the enumeration's values; None when absent or null. Raises `ApiError`."""
    value = fields.get(name)
    if value is None:
        return None
    return parse_choice(name, value, choices, unsupported)


def parse_choice(name: str, value: Any, choices: type[Choice], unsupported: Collection[str] = ()) -> Choice:
    """One of the enumeration's values; those that Alpaca has and we have not are told apart. Raises `ApiError`."""
    if isinstance(value, str):
        chosen = choices._value2member_map_.get(value)
        if chosen is not None:
            return chosen  # type: ignore[return-value]
    allowed = ", ".join(choices)
    if isinstance(value, str) and value in unsupported:
        raise bad_value(name, value, allowed, f"{name} {value} is not supported")
    raise bad_value(name, value, allowed)


def text_field(fields: dict[str, Any], name: str, max_length: int) -> str | None:
    """Printable text of 1 to `max_length` characters; None when absent or null. Raises `ApiError`."""
    value = fields.get(name)
    if value is None:
        return None
    is_text = isinstance(value, str) and not isinstance(value, NumberText)
    if is_text and 0 < len(value) <= max_length and value.isprintable():
        return str(value)
    raise bad_value(name, value, f"1 to {max_length} printable characters")


def required_text(fields: dict[str, Any], name: str, max_length: int) -> str:
    """`text_field` that must be there."""
    value = text_field(fields, name, max_length)
    if value is None:
        raise missing(name, f"1 to {max_length} printable characters")
    return value


def bool_field(fields: dict[str, Any], name: str) -> bool | None:
    """A JSON boolean; None when absent or null. Raises `ApiError`."""
    value = fields.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise bad_value(name, value, "true or false")


def parse_bool(name: str, text: str) -> bool:
    """A boolean of a query, as Go's ParseBool reads it. Raises `ApiError`."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise bad_value(name, text, "true or false")


def parse_int(name: str, text: str, lowest: int, highest: int) -> int:
    """A whole number of a query within bounds. Raises `ApiError`."""
    allowed = f"a whole number from {lowest} to {highest}"
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(highest))):
        raise bad_value(name, text, allowed)
    number = int(text)
    if not lowest <= number <= highest:
        raise bad_value(name, text, allowed)
    return number


def parse_uuid(text: str) -> str | None:
    """The canonical form of a UUID with or without dashes; None when it is none."""
    if not _UUID.fullmatch(text):
        return None
    digits = text.replace("-", "").lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def parse_time_ns(name: str, text: str) -> int:
    """Nanoseconds since the epoch of a date (00:00 UTC) or an RFC 3339 time. Raises `ApiError`.

    A space before the offset is the plus sign of a caller who did not escape it.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise bad_value(name, text, _TIME_ALLOWED)
    day, clock, fraction, offset = match.groups()
    zone = "+00:00" if offset in (None, "Z", "z") else offset.replace(" ", "+")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{zone}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise bad_value(name, text, _TIME_ALLOWED) from error
    return int(moment.timestamp()) * _NS_PER_S + int((fraction or "0").ljust(9, "0"))
