"""How InfluxDB fails.

StoreUnavailable
└── InfluxUnavailable      it cannot be reached, or answers with an error
    └── InfluxRefusal      it was reached and said no; carries the status
        └── DatabaseMissing
"""

from tradewind.ports.errors import StoreUnavailable


class InfluxUnavailable(StoreUnavailable):
    """InfluxDB cannot be reached or does not do its work now; the message names it, never a password."""


class InfluxRefusal(InfluxUnavailable):
    """InfluxDB refused a request. Bars wait all the same: a token, a right or a limit can be put right."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class DatabaseMissing(InfluxRefusal):
    """There is no such database (1.x, 3.x) or bucket (2.x)."""
