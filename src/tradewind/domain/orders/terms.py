"""The terms of an order: side, type and time in force, in the words of FIX and Alpaca."""

from enum import StrEnum


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """How an order is priced."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"

    @property
    def has_limit_price(self) -> bool:
        """Whether the order carries a limit price."""
        return self is OrderType.LIMIT or self is OrderType.STOP_LIMIT

    @property
    def has_stop_price(self) -> bool:
        """Whether the order waits for a stop price."""
        return self is OrderType.STOP or self is OrderType.STOP_LIMIT


class TimeInForce(StrEnum):
    """How long an order works: to the session's end, until cancelled, or not beyond its arrival."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
