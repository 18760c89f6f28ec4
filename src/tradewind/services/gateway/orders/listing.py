"""Reads the query of GET /v2/orders."""

from enum import StrEnum

import msgspec

from tradewind.domain.market.instrument import AssetClass
from tradewind.domain.orders.terms import Side
from tradewind.ports.trading_queries import OrderFilter, TradingQueries
from tradewind.services.gateway.errors import bad_value, not_found
from tradewind.services.gateway.fields import parse_bool, parse_choice, parse_int, parse_time_ns, parse_uuid
from tradewind.services.gateway.instrument_directory import InstrumentDirectory

DEFAULT_LIMIT = 50
MAX_LIMIT = 500


class ListedStatus(StrEnum):
    """Which part of the orders to list."""

    OPEN = "open"
    CLOSED = "closed"
    ALL = "all"


class Direction(StrEnum):
    """Oldest or newest first."""

    ASC = "asc"
    DESC = "desc"


class OrderListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query as text, as it came."""

    status: str | None = None
    limit: str | None = None
    after: str | None = None
    until: str | None = None
    direction: str | None = None
    nested: str | None = None
    symbols: list[str] | None = None
    side: str | None = None
    asset_class: list[str] | None = None
    before_order_id: str | None = None
    after_order_id: str | None = None


class OrderListReader:
    """Turns the query into a filter; looks up instruments and the orders that serve as cursors."""

    def __init__(self, queries: TradingQueries, directory: InstrumentDirectory) -> None:
        self._queries = queries
        self._directory = directory

    async def read(self, account_id: str, query: OrderListQuery) -> OrderFilter | None:
        """The filter; None when it can match nothing. Raises `ApiError` and `StoreUnavailable`."""
        status = parse_choice("status", query.status or ListedStatus.OPEN.value, ListedStatus)
        direction = parse_choice("direction", query.direction or Direction.DESC.value, Direction)
        if query.nested:
            parse_bool("nested", query.nested)  # there are no legs yet: both ways list the same
        symbols = await self._symbols(query)
        if symbols is not None and not symbols:
            return None
        return OrderFilter(
            is_open={"open": True, "closed": False, "all": None}[status.value],
            symbols=tuple(sorted(symbols or ())),
            side=parse_choice("side", query.side, Side) if query.side else None,
            after_ns=await self._bound_ns(account_id, "after", query.after, query.after_order_id),
            until_ns=await self._bound_ns(account_id, "until", query.until, query.before_order_id),
            newest_first=direction is Direction.DESC,
            limit=parse_int("limit", query.limit, 1, MAX_LIMIT) if query.limit else DEFAULT_LIMIT,
        )

    async def _symbols(self, query: OrderListQuery) -> set[str] | None:
        names = _split(query.symbols)
        classes = [
            parse_choice("asset_class", name, AssetClass, ("us_option",))
            for name in _split(query.asset_class)
        ]
        if not names and not classes:
            return None
        chosen: set[str] | None = None
        if names:
            found = [await self._directory.find(name) for name in names]
            chosen = {instrument.symbol for instrument in found if instrument is not None}
        if classes:
            known = (await self._directory.by_symbol()).values()
            of_class = {instrument.symbol for instrument in known if instrument.asset_class in classes}
            chosen = of_class if chosen is None else chosen & of_class
        return chosen

    async def _bound_ns(
        self, account_id: str, name: str, time: str | None, order_id: str | None
    ) -> int | None:
        if time and order_id:
            cursor = "after_order_id" if name == "after" else "before_order_id"
            raise bad_value(cursor, order_id, f"either {cursor} or {name}")
        if time:
            return parse_time_ns(name, time)
        if not order_id:
            return None
        canonical = parse_uuid(order_id)
        order = None if canonical is None else await self._queries.order(account_id, canonical)
        if order is None:
            raise not_found(f"order not found for {order_id}")
        return order.submitted_at_ns


def _split(values: list[str] | None) -> list[str]:
    """Repeated keys and comma lists mean the same."""
    return [part.strip() for value in values or () for part in value.split(",") if part.strip()]
