"""Positions of an account: looking at them and closing them."""

import asyncio
from decimal import Decimal
from typing import Any

from tradewind.domain.commands import CancelAllOrders, ClosePosition
from tradewind.domain.market.instrument import Instrument
from tradewind.domain.positions.position import Position
from tradewind.ports.authentication import Principal
from tradewind.ports.errors import ReplyOverdue
from tradewind.ports.trading_queries import OrderFilter, TradingQueries
from tradewind.services.gateway.commands import CommandSender, outcome_unknown
from tradewind.services.gateway.context import RequestContext
from tradewind.services.gateway.errors import ApiError, bad_value, not_found
from tradewind.services.gateway.fields import parse_decimal
from tradewind.services.gateway.instrument_directory import InstrumentDirectory, joined_symbol
from tradewind.services.gateway.orders.view import OrderFormat, OrderView
from tradewind.services.gateway.positions.reader import PositionReader
from tradewind.services.gateway.positions.schemas import AlpacaPosition

CANCEL_WAIT_S = 2.0
"""How long closing everything waits for the cancelled orders to be gone."""
CANCEL_POLL_S = 0.05
MAX_CONCURRENT_CLOSES = 32
_FULL_PERCENTAGE = 100


class PositionBook:
    """The positions of the principal's account."""

    def __init__(
        self,
        reader: PositionReader,
        sender: CommandSender,
        queries: TradingQueries,
        directory: InstrumentDirectory,
        show: OrderFormat,
    ) -> None:
        self._reader = reader
        self._sender = sender
        self._queries = queries
        self._directory = directory
        self._show = show

    async def list_positions(self, principal: Principal) -> list[AlpacaPosition]:
        """Positions that are not flat, by symbol."""
        return await self._reader.positions(principal.account_id)

    async def get(self, principal: Principal, name: str) -> AlpacaPosition:
        """The position in one instrument."""
        instrument = await self._instrument(name)
        position = await self._reader.position(principal.account_id, instrument.symbol)
        if position is None:
            raise not_found("position does not exist")
        return position

    async def close(
        self,
        principal: Principal,
        name: str,
        qty: str | None,
        percentage: str | None,
        context: RequestContext,
    ) -> OrderView:
        """The market order that closes all of a position, `qty` units, or `percentage` of it."""
        if qty and percentage:
            raise bad_value("percentage", percentage, "either qty or percentage")
        instrument = await self._instrument(name)
        share = _percentage(percentage) if percentage else None
        units = _positive("qty", qty) if qty else None
        return await self._close(principal, instrument, units, share, context)

    async def close_all(self, principal: Principal, context: RequestContext) -> list[dict[str, Any]]:
        """Close every position; one item each, as Alpaca's multi-status body."""
        held = await self._queries.positions(principal.account_id)
        turns = asyncio.Semaphore(MAX_CONCURRENT_CLOSES)

        async def close_in_turn(position: Position) -> dict[str, Any]:
            async with turns:
                return await self._close_item(principal, position, context)

        return list(await asyncio.gather(*(close_in_turn(position) for position in held)))

    async def cancel_orders_first(self, principal: Principal, context: RequestContext) -> None:
        """Cancel all orders and wait, at most `CANCEL_WAIT_S`, until none is open."""
        try:
            await self._sender.send(CancelAllOrders(account_id=principal.account_id), context)
        except ReplyOverdue as error:
            raise outcome_unknown(
                "whether the orders are being cancelled is not known yet: ask again"
            ) from error
        still_open = OrderFilter(is_open=True, limit=1)
        for _ in range(round(CANCEL_WAIT_S / CANCEL_POLL_S)):
            if not await self._queries.orders(principal.account_id, still_open):
                return
            await asyncio.sleep(CANCEL_POLL_S)

    async def _close_item(
        self, principal: Principal, position: Position, context: RequestContext
    ) -> dict[str, Any]:
        symbol = joined_symbol(position.symbol)
        instrument = await self._directory.of_symbol(position.symbol)
        try:
            order = await self._close(principal, instrument, None, None, context)
        except ApiError as error:
            return {"symbol": symbol, "status": error.status, "body": error.content()}
        return {"symbol": symbol, "status": 200, "body": order}

    async def _close(
        self,
        principal: Principal,
        instrument: Instrument,
        qty: Decimal | None,
        percentage: Decimal | None,
        context: RequestContext,
    ) -> OrderView:
        command = ClosePosition(
            account_id=principal.account_id,
            order_id=self._sender.ids.new_id(),
            client_order_id=self._sender.ids.new_id(),
            symbol=instrument.symbol,
            qty=qty,
            percentage=percentage,
        )
        return self._show(await self._sender.send_for_order(command, context), instrument)

    async def _instrument(self, name: str) -> Instrument:
        instrument = await self._directory.find(name)
        if instrument is None:
            raise not_found(f"symbol not found: {name[:100]}")
        return instrument


def _positive(name: str, text: str) -> Decimal:
    amount = parse_decimal(name, text)
    if amount <= 0:
        raise bad_value(name, text, "greater than 0")
    return amount


def _percentage(text: str) -> Decimal:
    share = parse_decimal("percentage", text)
    if not 0 < share <= _FULL_PERCENTAGE:
        raise bad_value("percentage", text, "greater than 0, at most 100")
    return share
