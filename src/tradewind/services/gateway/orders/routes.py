"""`/v2/orders`."""

from typing import Any

from litestar import Request, delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from tradewind.services.gateway.dependencies import Sender, context_of, parts_of
from tradewind.services.gateway.openapi import OrderOperation, ReplacementOperation
from tradewind.services.gateway.orders.listing import OrderListQuery
from tradewind.services.gateway.orders.view import OrderView


@post("/orders", status_code=200, operation_class=OrderOperation, summary="Submit an order")
async def submit_order(request: Request[Any, Any, Any], principal: Sender) -> OrderView:
    """Answered once the order is safe in the books."""
    return await parts_of(request).submission.submit(principal, await request.body(), context_of(request))


@get("/orders", summary="List orders")
async def list_orders(
    request: Request[Any, Any, Any],
    principal: Sender,
    status: FromQuery[str | None] = None,
    limit: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
    until: FromQuery[str | None] = None,
    direction: FromQuery[str | None] = None,
    nested: FromQuery[str | None] = None,
    symbols: FromQuery[list[str] | None] = None,
    side: FromQuery[str | None] = None,
    asset_class: FromQuery[list[str] | None] = None,
    before_order_id: FromQuery[str | None] = None,
    after_order_id: FromQuery[str | None] = None,
) -> list[OrderView]:
    """Newest first, open ones, 50 of them, unless asked otherwise."""
    query = OrderListQuery(
        status=status,
        limit=limit,
        after=after,
        until=until,
        direction=direction,
        nested=nested,
        symbols=symbols,
        side=side,
        asset_class=asset_class,
        before_order_id=before_order_id,
        after_order_id=after_order_id,
    )
    return await parts_of(request).orders.list_orders(principal, query)


@get("/orders:by_client_order_id", summary="Get an order by your id")
async def get_order_by_client_id(
    request: Request[Any, Any, Any], principal: Sender, client_order_id: FromQuery[str | None] = None
) -> OrderView:
    """After a replacement the id still means the order that had it first."""
    return await parts_of(request).orders.get_by_client_id(principal, client_order_id)


@get("/orders/{order_id:str}", summary="Get an order")
async def get_order(request: Request[Any, Any, Any], principal: Sender, order_id: FromPath[str]) -> OrderView:
    """One order of the account."""
    return await parts_of(request).orders.get(principal, order_id)


@patch("/orders/{order_id:str}", operation_class=ReplacementOperation, summary="Replace an order")
async def replace_order(
    request: Request[Any, Any, Any], principal: Sender, order_id: FromPath[str]
) -> OrderView:
    """The new order, which takes the old one's place when the venue agrees."""
    body = await request.body()
    return await parts_of(request).orders.replace(principal, order_id, body, context_of(request))


@delete("/orders/{order_id:str}", summary="Cancel an order")
async def cancel_order(request: Request[Any, Any, Any], principal: Sender, order_id: FromPath[str]) -> None:
    """Answered once the cancellation is requested; the order may still fill before it happens."""
    await parts_of(request).orders.cancel(principal, order_id, context_of(request))


@delete("/orders", status_code=207, summary="Cancel all orders")
async def cancel_all_orders(request: Request[Any, Any, Any], principal: Sender) -> list[dict[str, Any]]:
    """One item an order."""
    return await parts_of(request).orders.cancel_all(principal, context_of(request))


ORDER_ROUTES: tuple[HTTPRouteHandler, ...] = (
    submit_order,
    list_orders,
    get_order_by_client_id,
    get_order,
    replace_order,
    cancel_order,
    cancel_all_orders,
)
