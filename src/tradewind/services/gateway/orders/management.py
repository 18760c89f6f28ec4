"""What can be done with orders that exist: list, get, replace, cancel."""

from typing import Any

from tradewind.domain.commands import CancelAllOrders, CancelOrder, ReplaceOrder
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.ports.authentication import Principal
from tradewind.ports.errors import ReplyOverdue, StoreUnavailable
from tradewind.ports.trading_queries import TradingQueries
from tradewind.services.gateway.commands import CommandSender, outcome_unknown
from tradewind.services.gateway.context import RequestContext
from tradewind.services.gateway.errors import BAD_VALUE, UNAVAILABLE, ApiError, missing, not_found
from tradewind.services.gateway.fields import parse_uuid
from tradewind.services.gateway.instrument_directory import InstrumentDirectory
from tradewind.services.gateway.orders.listing import OrderListQuery, OrderListReader
from tradewind.services.gateway.orders.order_body import MAX_CLIENT_ORDER_ID_LENGTH, read_replacement
from tradewind.services.gateway.orders.view import OrderFormat, OrderView


class OrderManagement:
    """The orders of the principal's account."""

    def __init__(
        self,
        sender: CommandSender,
        queries: TradingQueries,
        directory: InstrumentDirectory,
        show: OrderFormat,
    ) -> None:
        self._sender = sender
        self._queries = queries
        self._directory = directory
        self._show = show
        self._list_reader = OrderListReader(queries, directory)

    async def list_orders(self, principal: Principal, query: OrderListQuery) -> list[OrderView]:
        """Orders by submission time."""
        order_filter = await self._list_reader.read(principal.account_id, query)
        if order_filter is None:
            return []
        found = await self._queries.orders(principal.account_id, order_filter)
        return [await self._shown(order) for order in found]

    async def get(self, principal: Principal, order_id: str) -> OrderView:
        """One order."""
        return await self._shown(await self._find(principal, order_id))

    async def get_by_client_id(self, principal: Principal, client_order_id: str | None) -> OrderView:
        """The order with this client order id."""
        if not client_order_id:
            raise missing("client_order_id", f"1 to {MAX_CLIENT_ORDER_ID_LENGTH} printable characters")
        order = None
        if len(client_order_id) <= MAX_CLIENT_ORDER_ID_LENGTH and client_order_id.isprintable():
            order = await self._queries.order_by_client_id(principal.account_id, client_order_id)
        if order is None:
            raise not_found(f"order not found for {client_order_id[:MAX_CLIENT_ORDER_ID_LENGTH]}")
        return await self._shown(order)

    async def replace(
        self, principal: Principal, order_id: str, body: bytes, context: RequestContext
    ) -> OrderView:
        """The new order."""
        canonical = _require_uuid(order_id)
        wanted = read_replacement(body)
        command = ReplaceOrder(
            account_id=principal.account_id,
            order_id=canonical,
            new_order_id=self._sender.ids.new_id(),
            client_order_id=wanted.client_order_id or self._sender.ids.new_id(),
            qty=wanted.qty,
            limit_price=wanted.limit_price,
            stop_price=wanted.stop_price,
            time_in_force=wanted.time_in_force,
        )
        return await self._shown(await self._sender.send_for_order(command, context))

    async def cancel(self, principal: Principal, order_id: str, context: RequestContext) -> None:
        """Returns once the cancellation is requested for good."""
        command = CancelOrder(account_id=principal.account_id, order_id=_require_uuid(order_id))
        try:
            await self._sender.send(command, context)
        except ReplyOverdue:
            await self._require_cancelling(principal, command.order_id)

    async def cancel_all(self, principal: Principal, context: RequestContext) -> list[dict[str, Any]]:
        """One item an order whose cancellation was requested, as Alpaca's multi-status body."""
        command = CancelAllOrders(account_id=principal.account_id)
        try:
            reply = await self._sender.send(command, context)
        except ReplyOverdue as error:
            raise outcome_unknown(
                "whether the orders are being cancelled is not known yet: ask again, that is harmless"
            ) from error
        return [{"id": order.order_id, "status": 200} for order in reply.orders]

    async def _require_cancelling(self, principal: Principal, order_id: str) -> None:
        """The reply is overdue: tell from the books whether the request was taken."""
        try:
            known = await self._find(principal, order_id)
            order = await self._queries.resolve_fate(principal.account_id, known.client_order_id)
        except StoreUnavailable as error:
            raise outcome_unknown(
                "whether the order is being cancelled is not known yet: ask again, that is harmless"
            ) from error
        if order is not None and (not order.is_open or order.status is OrderStatus.PENDING_CANCEL):
            return
        raise ApiError(503, UNAVAILABLE, "request was not accepted: nothing happened; try again")

    async def _find(self, principal: Principal, order_id: str) -> Order:
        canonical = _require_uuid(order_id)
        order = await self._queries.order(principal.account_id, canonical)
        if order is None:
            raise not_found(f"order not found for {canonical}")
        return order

    async def _shown(self, order: Order) -> OrderView:
        return self._show(order, await self._directory.of_symbol(order.symbol))


def _require_uuid(order_id: str) -> str:
    canonical = parse_uuid(order_id)
    if canonical is None:
        raise ApiError(
            422,
            BAD_VALUE,
            "order_id is missing",
            {"field": "order_id", "value": order_id[:100], "allowed": "the UUID of an order"},
        )
    return canonical
