"""The gateway's word on an order whose reply did not come, over real PostgreSQL and Redis: certain, or said not to be."""

import asyncio

import asyncpg
import pytest

from tests.integration.orders.trading_floor import Floor
from tradewind.adapters.postgres import trading_queries
from tradewind.ports.messages import shard_of
from tradewind.ports.trading_queries import OrderFilter
from tradewind.services.gateway.commands import CommandSender
from tradewind.services.gateway.context import RequestContext
from tradewind.services.gateway.errors import OUTCOME_UNKNOWN, UNAVAILABLE, ApiError

EVERYTHING = OrderFilter(limit=100)
DEADLINE_MS = 300
NOBODY = "a channel that nobody listens to"


def gateway(floor: Floor, reply_to: str) -> CommandSender:
    return CommandSender(floor.client, reply_to, floor.books, floor.ids, floor.clock, DEADLINE_MS)


def now(floor: Floor) -> RequestContext:
    return RequestContext(correlation_id="a request", received_ns=floor.clock.now_ns())


async def test_an_order_whose_reply_was_lost_is_answered_from_the_books(floor: Floor) -> None:
    await (await floor.start()).ready()
    account_id = await floor.open_account()
    command = floor.buy(account_id, "3", "90", "mine")
    order = await gateway(floor, NOBODY).send_for_order(command, now(floor))
    assert (order.order_id, order.client_order_id, order.qty) == (command.order_id, "mine", 3)
    assert await floor.differences() == []


async def test_an_order_that_nobody_took_in_time_did_not_happen_and_never_will(floor: Floor) -> None:
    replica = await floor.start()
    await replica.ready()
    account_id = await floor.open_account()
    await replica.stop()
    late = floor.buy(account_id, "3", "90", "late")
    with pytest.raises(ApiError) as told:
        await gateway(floor, floor.client.reply_to).send_for_order(late, now(floor))
    assert (told.value.status, told.value.code) == (503, UNAVAILABLE)
    assert "nothing happened; retry with the same client_order_id" in told.value.message
    await (await floor.start()).ready()  # which finds the command waiting
    again = await floor.submit_surely(floor.buy(account_id, "3", "90", "after it"))
    stored = await floor.books.orders(account_id, EVERYTHING)
    assert [order.order_id for order in stored] == [again.order_id]


async def test_while_the_books_are_being_written_for_too_long_nothing_certain_is_said(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await floor.start()).ready()
    account_id = await floor.open_account()
    command = floor.buy(account_id, "3", "90", "who-knows")
    blocking = await asyncpg.connect(floor.database_url)
    async with blocking.transaction():
        await blocking.execute("SELECT 1 FROM shards WHERE shard = $1 FOR UPDATE", shard_of(account_id))
        with monkeypatch.context() as impatient:
            impatient.setattr(trading_queries, "FATE_TIMEOUT_MS", 100)
            with pytest.raises(ApiError) as told:
                await gateway(floor, floor.client.reply_to).send_for_order(command, now(floor))
    await blocking.close()
    assert (told.value.status, told.value.code) == (503, OUTCOME_UNKNOWN)
    assert "/v2/orders:by_client_order_id?client_order_id=who-knows" in told.value.message
    # The client asks again as it was told to: by now it is certain, for the deadline has passed.
    async with asyncio.timeout(10):
        assert await floor.books.resolve_fate(account_id, "who-knows") is None
    assert (await floor.submit_surely(command)).client_order_id == "who-knows", "a retry is free to happen"
