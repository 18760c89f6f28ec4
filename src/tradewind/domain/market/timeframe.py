"""Timeframes of bars in Alpaca's grammar, with seconds added: 10Sec, 1Min, 5Min, 1Hour, 1Day, 1Week."""

import re
from typing import Self

import msgspec

NS_PER_S = 1_000_000_000
_UNIT_S = {"Sec": 1, "Min": 60, "Hour": 3_600, "Day": 86_400, "Week": 604_800}
_LARGEST_AMOUNT = {"Sec": 59, "Min": 59, "Hour": 23, "Day": 1, "Week": 1}
_ALIASES = {"S": "Sec", "T": "Min", "H": "Hour", "D": "Day", "W": "Week"}
_EPOCH_MONDAY_NS = 4 * 86_400 * NS_PER_S  # 1970-01-05 was a Monday
_PATTERN = re.compile(r"(\d{1,2})([A-Za-z]+)")
ALLOWED = "1-59Sec, 1-59Min, 1-23Hour, 1Day or 1Week"


class Timeframe(msgspec.Struct, frozen=True):
    """A bar's length: `amount` times `unit` (Sec, Min, Hour, Day, Week). Days and weeks are UTC days and weeks."""

    amount: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "1Min", "5T", "1Hour", "1D"; raises `ValueError` that names what is allowed."""
        match = _PATTERN.fullmatch(text)
        if match:
            amount = int(match[1])
            unit = _ALIASES.get(match[2], match[2])
            if unit in _UNIT_S and 1 <= amount <= _LARGEST_AMOUNT[unit]:
                return cls(amount, unit)
        raise ValueError(f"invalid timeframe: {text} (allowed: {ALLOWED})")

    @property
    def duration_ns(self) -> int:
        """Length in nanoseconds."""
        return self.amount * _UNIT_S[self.unit] * NS_PER_S

    def start_of(self, ts_ns: int) -> int:
        """The start of the bar that `ts_ns` falls into."""
        anchor_ns = _EPOCH_MONDAY_NS if self.unit == "Week" else 0
        return ts_ns - (ts_ns - anchor_ns) % self.duration_ns

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"
