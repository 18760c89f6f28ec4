"""Takes a new order: from the body of a request to the order that the books hold."""

from tradewind.domain.commands import SubmitOrder
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.orders.validation import OrderTerms, refuse_terms
from tradewind.ports.authentication import Principal
from tradewind.services.gateway.commands import CommandSender
from tradewind.services.gateway.context import RequestContext
from tradewind.services.gateway.errors import UNPROCESSABLE, ApiError
from tradewind.services.gateway.instrument_directory import InstrumentDirectory
from tradewind.services.gateway.orders.order_body import OrderBody, read_order
from tradewind.services.gateway.orders.view import OrderFormat, OrderView
from tradewind.services.gateway.reject_mapping import refusal_answer


class OrderSubmission:
    """What POST /v2/orders does, whichever way the request came in."""

    def __init__(self, sender: CommandSender, directory: InstrumentDirectory, show: OrderFormat) -> None:
        self._sender = sender
        self._directory = directory
        self._show = show

    async def submit(self, principal: Principal, body: bytes, context: RequestContext) -> OrderView:
        """The order as it was accepted. Raises `ApiError` and `StoreUnavailable`."""
        wanted = read_order(body)
        instrument = await self._directory.find(wanted.symbol)
        if instrument is None:
            raise unknown_symbol(wanted.symbol)
        refusal = refuse_terms(_terms_of(wanted), instrument)
        if refusal is not None:
            raise refusal_answer(refusal)
        command = self._command(principal, wanted, instrument)
        order = await self._sender.send_for_order(command, context)
        return self._show(order, instrument)

    def _command(self, principal: Principal, wanted: OrderBody, instrument: Instrument) -> SubmitOrder:
        order_id = self._sender.ids.new_id()
        return SubmitOrder(
            account_id=principal.account_id,
            order_id=order_id,
            client_order_id=wanted.client_order_id or self._sender.ids.new_id(),
            symbol=instrument.symbol,
            side=wanted.side,
            order_type=wanted.order_type,
            time_in_force=wanted.time_in_force,
            qty=wanted.qty,
            notional=wanted.notional,
            limit_price=wanted.limit_price,
            stop_price=wanted.stop_price,
            extended_hours=wanted.extended_hours,
        )


def unknown_symbol(symbol: str) -> ApiError:
    """No instrument has this name."""
    return ApiError(
        422,
        UNPROCESSABLE,
        f'asset "{symbol}" not found',
        {"field": "symbol", "value": symbol, "allowed": "symbols listed by /v2/assets"},
    )


def _terms_of(wanted: OrderBody) -> OrderTerms:
    return OrderTerms(
        order_type=wanted.order_type,
        time_in_force=wanted.time_in_force,
        qty=wanted.qty,
        notional=wanted.notional,
        limit_price=wanted.limit_price,
        stop_price=wanted.stop_price,
    )
