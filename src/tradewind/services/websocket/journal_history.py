"""The way to events that the bus lost: the journal's entries, made into published events again."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from tradewind.domain.events import (
    JournalEntry,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
    OrderSubmitted,
)
from tradewind.domain.identifiers import AccountId, OrderId, Shard
from tradewind.domain.orders.order import Order
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.journal_reader import JournalReader
from tradewind.ports.messages import EventNotice, PublishedEvent
from tradewind.services.websocket.shard_sequence import ShardSequence
from tradewind.services.websocket.trade_updates import ToldEvent, is_told

STORE_TIMEOUT_S = 5.0
"""A read of the journal and its orders that takes longer counts as failed."""


class OrderLookup(Protocol):
    """The part of `TradingQueries` that is needed here."""

    async def order(self, account_id: AccountId, order_id: OrderId) -> Order | None:
        """One order of the account. Raises `StoreUnavailable`."""
        ...


class JournalHistory:
    """Makes published events of journal entries: adds the orders as they stand now, where someone listens."""

    def __init__(
        self, reader: JournalReader, orders: OrderLookup, is_heard: Callable[[AccountId], bool]
    ) -> None:
        self._reader = reader
        self._orders = orders
        self._is_heard = is_heard

    async def heads(self) -> Mapping[Shard, int]:
        """The last event of every shard. Raises `StoreUnavailable`."""
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                return await self._reader.heads()
        except TimeoutError as error:
            raise StoreUnavailable("the journal does not answer") from error

    async def after(self, sequence: ShardSequence, shard: Shard, limit: int) -> list[EventNotice]:
        """At most `limit` events that follow those the sequence took. Raises `StoreUnavailable`."""
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                entries = await self._reader.entries(shard, sequence.last_seq, limit)
                return [await self._notice(entry) for entry in entries if not sequence.holds(entry.seq)]
        except TimeoutError as error:
            raise StoreUnavailable("the journal does not answer") from error

    async def _notice(self, entry: JournalEntry) -> EventNotice:
        order = new_order = None
        event = entry.event
        if is_told(event) and self._is_heard(event.account_id):
            order, new_order = await self._orders_of(event)
        return EventNotice.of(
            PublishedEvent(
                shard=entry.shard,
                seq=entry.seq,
                ts_ns=entry.ts_ns,
                correlation_id=entry.correlation_id,
                event=event,
                order=order,
                new_order=new_order,
            )
        )

    async def _orders_of(self, event: ToldEvent) -> tuple[Order | None, Order | None]:
        match event:
            case OrderSubmitted():
                return event.order, None
            case OrderReplaceRequested():
                return await self._find(event.account_id, event.order_id), event.order
            case OrderReplaced() | OrderReplaceRejected():
                order = await self._find(event.account_id, event.order_id)
                return order, await self._find(event.account_id, event.new_order_id)
            case _:
                return await self._find(event.account_id, event.order_id), None

    async def _find(self, account_id: AccountId, order_id: OrderId) -> Order | None:
        return await self._orders.order(account_id, order_id)
