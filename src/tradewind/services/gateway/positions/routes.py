"""`/v2/positions`."""

from typing import Any

from litestar import Request, delete, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from tradewind.services.gateway.dependencies import Sender, context_of, parts_of
from tradewind.services.gateway.fields import parse_bool
from tradewind.services.gateway.orders.view import OrderView
from tradewind.services.gateway.positions.schemas import AlpacaPosition


@get("/positions", summary="List positions")
async def list_positions(request: Request[Any, Any, Any], principal: Sender) -> list[AlpacaPosition]:
    """Positions that are not flat."""
    return await parts_of(request).positions.list_positions(principal)


@get("/positions/{symbol:path}", summary="Get a position")
async def get_position(
    request: Request[Any, Any, Any], principal: Sender, symbol: FromPath[str]
) -> AlpacaPosition:
    """By symbol (`BTC/USD` or `BTCUSD`) or asset id."""
    return await parts_of(request).positions.get(principal, symbol.strip("/"))


@delete("/positions/{symbol:path}", status_code=200, summary="Close a position")
async def close_position(
    request: Request[Any, Any, Any],
    principal: Sender,
    symbol: FromPath[str],
    qty: FromQuery[str | None] = None,
    percentage: FromQuery[str | None] = None,
) -> OrderView:
    """The market order that closes it, all of it unless told otherwise."""
    return await parts_of(request).positions.close(
        principal, symbol.strip("/"), qty, percentage, context_of(request)
    )


@delete("/positions", status_code=207, summary="Close all positions")
async def close_all_positions(
    request: Request[Any, Any, Any], principal: Sender, cancel_orders: FromQuery[str | None] = None
) -> list[dict[str, Any]]:
    """One item a position; with `cancel_orders` open orders are cancelled first."""
    book, context = parts_of(request).positions, context_of(request)
    if cancel_orders and parse_bool("cancel_orders", cancel_orders):
        await book.cancel_orders_first(principal, context)
    return await book.close_all(principal, context)


POSITION_ROUTES: tuple[HTTPRouteHandler, ...] = (
    list_positions,
    get_position,
    close_position,
    close_all_positions,
)
