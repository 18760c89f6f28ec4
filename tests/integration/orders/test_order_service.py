"""The order service on real PostgreSQL and Redis: nothing acknowledged is lost, nothing happens twice."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from decimal import Decimal

import asyncpg
import pytest

from tests.integration.orders.trading_floor import Floor
from tradewind.adapters.postgres.shard_journal import open_shard_journal
from tradewind.domain.commands import CancelOrder, DepositCash, ReplaceOrder
from tradewind.domain.events import OrderExecuted
from tradewind.domain.identifiers import AccountId, ClientOrderId, OrderId
from tradewind.domain.orders.order import Order
from tradewind.domain.orders.state_machine import OrderStatus
from tradewind.domain.reject_codes import RejectCode
from tradewind.ports.errors import ReplyOverdue
from tradewind.ports.journal import PreparedWrite, ShardJournal, ShardState, ShardWrite
from tradewind.ports.messages import PublishedEvent, shard_of
from tradewind.ports.trading_queries import OrderFilter

EVERYTHING = OrderFilter(limit=10_000)


def kinds(events: list[PublishedEvent]) -> list[str]:
    return [type(published.event).__name__ for published in events]


async def test_an_order_goes_the_whole_way(floor: Floor) -> None:
    replica = await floor.start()
    await replica.ready()
    account_id = await floor.open_account("10000")
    reply = await floor.send(floor.buy(account_id, "10", None))
    assert reply.orders[0].status is OrderStatus.PENDING_NEW
    filled = await floor.order_in_status(reply.orders[0], "filled")
    assert (filled.filled_qty, filled.average_fill_price) == (Decimal(10), Decimal("100.01"))
    (position,) = await floor.books.positions(account_id)
    assert position.qty == 10
    account = await floor.books.account(account_id)
    assert account is not None
    assert (account.cash_available, account.cash_held) == (Decimal("8999.90"), Decimal(0))
    events = await floor.events_until(lambda events: "OrderExecuted" in kinds(events))
    assert kinds(events) == [
        "AccountOpened",
        "CashDeposited",
        "OrderSubmitted",
        "OrderAcknowledged",
        "OrderExecuted",
    ]
    executed = events[-1]
    assert executed.order is not None
    assert (executed.order.status, executed.correlation_id) == ("filled", "correlation SubmitOrder")
    assert await floor.differences() == []


async def test_cancel_and_replace_go_the_whole_way(floor: Floor) -> None:
    await (await floor.start()).ready()
    account_id = await floor.open_account()
    order = (await floor.send(floor.buy(account_id, "10", "90"))).orders[0]
    await floor.order_in_status(order, "new")
    new_id = floor.ids.new_id()
    replacement = ReplaceOrder(
        account_id=account_id,
        order_id=order.order_id,
        new_order_id=new_id,
        client_order_id=new_id,
        limit_price=Decimal(91),
    )
    new = (await floor.send(replacement)).orders[0]
    await floor.order_in_status(order, "replaced")
    await floor.send(CancelOrder(account_id=account_id, order_id=new.order_id))
    await floor.order_in_status(new, "canceled")
    again = await floor.send(CancelOrder(account_id=account_id, order_id=new.order_id))
    assert again.refusal is not None
    assert again.refusal.code is RejectCode.ORDER_TERMINAL
    assert await floor.differences() == []


async def test_killed_restarted_and_redis_flushed_everything_is_as_it_was(floor: Floor) -> None:
    first = await floor.start()
    await first.ready()
    account_id = await floor.open_account()
    waiting = (await floor.send(floor.buy(account_id, "10", "95"))).orders[0]
    await floor.order_in_status(waiting, "new")
    done = (await floor.send(floor.buy(account_id, "2", None, "mine"))).orders[0]
    await floor.order_in_status(done, "filled")
    before = await floor.books.account(account_id)
    await first.kill()
    await floor.redis.flushall()
    second = await floor.start()
    await second.ready()
    assert await floor.books.account(account_id) == before
    repeated = await floor.send(floor.buy(account_id, "2", None, "mine"))
    assert [order.order_id for order in repeated.orders] == [done.order_id], "a retry gets the first answer"
    await floor.quote("94.90", "94.95")  # the new venue knows the order that waits
    filled = await floor.order_in_status(waiting, "filled")
    assert filled.filled_qty == 10
    stored = await floor.books.orders(account_id, EVERYTHING)
    assert Counter(order.status for order in stored) == {OrderStatus.FILLED: 2}
    assert await floor.differences() == []


async def test_clients_that_retry_lose_nothing_while_owners_are_killed(floor: Floor) -> None:
    replica = await floor.start()
    await replica.ready()
    account_ids = [await floor.open_account("1000000") for _ in range(4)]
    submissions = [
        floor.buy(account_ids[number % 4], "1", "100.01" if number % 2 else "50", f"order {number}")
        for number in range(120)
    ]

    async def trade(mine: Sequence[int]) -> list[Order]:
        acknowledged = []
        for number in mine:
            acknowledged.append(await floor.submit_surely(submissions[number]))
            await asyncio.sleep(0.05)
        return acknowledged

    clients = [asyncio.create_task(trade(range(start, 120, 12))) for start in range(12)]
    for round_number in range(3):
        await asyncio.sleep(0.15)
        await replica.kill()
        if round_number == 1:
            await floor.redis.flushall()
        replica = await floor.start()
    acknowledged = [order for client in clients for order in await client]
    assert len(acknowledged) == 120
    stored = [
        order for account_id in account_ids for order in await floor.books.orders(account_id, EVERYTHING)
    ]
    assert Counter(order.client_order_id for order in stored) == {f"order {n}": 1 for n in range(120)}
    assert {order.order_id for order in stored} == {order.order_id for order in acknowledged}
    for number in range(1, 120, 2):
        await floor.order_in_status(submissions[number], "filled")
    positions = [position for each in account_ids for position in await floor.books.positions(each)]
    assert sum(position.qty for position in positions) == 60
    assert await floor.differences() == []


async def test_two_services_share_the_shards_and_one_takes_over_when_the_other_dies(floor: Floor) -> None:
    first, second = await floor.start(), await floor.start()
    await first.ready()
    await second.ready()
    account_ids = [await floor.open_account() for _ in range(8)]
    assert await owned_by(floor, first.name) == 8
    assert await owned_by(floor, second.name) == 8
    await first.kill()
    orders = await asyncio.gather(
        *(floor.submit_surely(floor.buy(account_id, "1", "90")) for account_id in account_ids)
    )
    assert len({order.order_id for order in orders}) == 8
    assert await owned_by(floor, second.name) == 16
    for order in orders:
        await floor.order_in_status(order, "new")
    third = await floor.start()
    await third.ready()
    await floor.send(DepositCash(account_id=account_ids[0], amount=Decimal(1)))
    await floor.quote("89.90", "89.95")
    for order in orders:
        await floor.order_in_status(order, "filled")
    assert await floor.differences() == []


async def owned_by(floor: Floor, name: str) -> int:
    connection = await asyncpg.connect(floor.database_url)
    count: int = await connection.fetchval(
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND classid = 7310 AND application_name = $1"
        " AND datname = current_database()",
        name,
    )
    await connection.close()
    return count


async def test_a_command_read_after_its_deadline_is_refused(floor: Floor) -> None:
    await (await floor.start()).ready()
    account_id = await floor.open_account()
    reply = await floor.send(floor.buy(account_id, "1", "90"), within_s=-0.2)
    assert reply.refusal is not None
    assert reply.refusal.code is RejectCode.DEADLINE_PASSED
    assert await floor.books.orders(account_id, EVERYTHING) == []


async def test_a_deadline_that_passes_before_the_commit_means_that_nothing_happened(floor: Floor) -> None:
    await (await floor.start()).ready()
    account_id = await floor.open_account()
    late, early = floor.buy(account_id, "1", "90", "late"), floor.buy(account_id, "1", "90", "in time")
    blocking = await asyncpg.connect(floor.database_url)
    transaction = blocking.transaction()
    await transaction.start()
    await blocking.execute("SELECT 1 FROM shards WHERE shard = $1 FOR UPDATE", shard_of(account_id))
    tasks = [
        asyncio.create_task(floor.send(late, within_s=0.3)),
        asyncio.create_task(floor.send(early, within_s=10)),
    ]
    await asyncio.sleep(0.5)
    await transaction.rollback()
    await blocking.close()
    refused, accepted = await asyncio.gather(*tasks)
    assert refused.refusal is not None
    assert refused.refusal.code is RejectCode.DEADLINE_PASSED
    assert accepted.orders[0].client_order_id == "in time"
    stored = await floor.books.orders(account_id, EVERYTHING)
    assert [order.client_order_id for order in stored] == ["in time"]
    assert await floor.differences() == []


async def test_what_could_not_be_published_is_published_later_in_order(floor: Floor) -> None:
    replica = await floor.start()
    await replica.ready()
    account_id = await floor.open_account()
    await floor.events_until(lambda events: len(events) == 2)
    replica.publisher.is_available = False
    for number in range(5):
        reply = await floor.send(floor.buy(account_id, "1", "90", f"order {number}"))
        assert reply.orders, "clients get their replies"
    assert await floor.followed.read(0.1) == []
    replica.publisher.is_available = True
    await floor.send(floor.buy(account_id, "1", "90", "last"))
    events = await floor.events_until(lambda events: kinds(events).count("OrderAcknowledged") == 6)
    assert [event.seq for event in events] == list(range(3, 15))


async def test_what_was_committed_and_not_published_is_published_after_a_restart(floor: Floor) -> None:
    replica = await floor.start()
    await replica.ready()
    account_id = await floor.open_account()
    await floor.events_until(lambda events: len(events) == 2)
    replica.publisher.is_available = False
    order = (await floor.send(floor.buy(account_id, "1", None))).orders[0]
    await floor.order_in_status(order, "filled")
    await replica.kill()
    await (await floor.start()).ready()
    events = await floor.events_until(lambda events: "OrderExecuted" in kinds(events))
    assert [event.seq for event in events if event.seq > 2] == [3, 4, 5]
    last = events[-1]
    assert isinstance(last.event, OrderExecuted)
    assert last.order is not None, "also when the order is closed since"
    assert last.order.order_id == order.order_id


class DiesAfterCommit:
    """A writing session whose process dies between a commit and telling anyone, when `is_doomed`."""

    def __init__(self, journal: ShardJournal) -> None:
        self._journal = journal
        self.is_doomed = False
        self.has_died = asyncio.Event()

    async def claim(self, shards: Collection[int]) -> frozenset[int]:
        return await self._journal.claim(shards)

    async def release(self, shards: Collection[int]) -> None:
        await self._journal.release(shards)

    async def load(self, shard: int) -> ShardState:
        return await self._journal.load(shard)

    async def find_orders(
        self, client_ids: Collection[tuple[AccountId, ClientOrderId]], order_ids: Collection[OrderId]
    ) -> list[Order]:
        return await self._journal.find_orders(client_ids, order_ids)

    async def unpublished(self, shard: int, after_seq: int, limit: int) -> list:  # type: ignore[type-arg]
        return await self._journal.unpublished(shard, after_seq, limit)

    def prepare(self, writes: Sequence[ShardWrite]) -> PreparedWrite:
        return self._journal.prepare(writes)

    async def commit(self, write: PreparedWrite) -> None:
        await self._journal.commit(write)
        if self.is_doomed:
            self.has_died.set()
            await asyncio.Event().wait()

    async def heartbeat(self) -> int:
        return await self._journal.heartbeat()

    async def close(self) -> None:
        await self._journal.close()


async def test_a_death_between_commit_and_reply_loses_and_doubles_nothing(floor: Floor) -> None:
    sessions: list[DiesAfterCommit] = []

    async def open_journal() -> ShardJournal:
        sessions.append(DiesAfterCommit(await open_shard_journal(floor.database_url, "replica 1")))
        return sessions[-1]

    replica = await floor.start(open_journal)
    await replica.ready()
    account_id = await floor.open_account()
    sessions[-1].is_doomed = True
    command = floor.buy(account_id, "3", None, "mine")
    sending = asyncio.create_task(floor.send(command, within_s=0.3))
    await sessions[-1].has_died.wait()
    await replica.kill()
    await (await floor.start()).ready()
    with pytest.raises(ReplyOverdue):
        await sending
    order = await floor.submit_surely(command)
    assert order.order_id == command.order_id
    filled = await floor.order_in_status(order, "filled")  # the venue never heard of it before the restart
    assert filled.filled_qty == 3
    (position,) = await floor.books.positions(account_id)
    assert position.qty == 3
    events = await floor.events_until(lambda events: "OrderExecuted" in kinds(events))
    assert kinds(events).count("OrderSubmitted") == 1
    assert await floor.differences() == []


class StandsStill(DiesAfterCommit):
    """A writing session whose process is stopped (SIGSTOP) before a commit, until it `may_go_on`."""

    def __init__(self, journal: ShardJournal) -> None:
        super().__init__(journal)
        self.may_go_on = asyncio.Event()

    async def commit(self, write: PreparedWrite) -> None:
        if self.is_doomed:
            self.has_died.set()
            await self.may_go_on.wait()
        await self._journal.commit(write)


async def test_an_owner_that_stood_still_cannot_write_any_more(floor: Floor) -> None:
    sessions: list[StandsStill] = []

    async def open_journal() -> ShardJournal:
        journal = await open_shard_journal(floor.database_url, "replica 1", session_timeout_s=0.4)
        sessions.append(StandsStill(journal))
        return sessions[-1]

    first = await floor.start(open_journal)
    await first.ready()
    account_id = await floor.open_account()
    stopped = sessions[-1]
    stopped.is_doomed = True
    command = floor.buy(account_id, "1", "90", "mine")
    sending = asyncio.create_task(floor.send(command, within_s=10))
    await stopped.has_died.wait()
    second = await floor.start()
    reply = await sending  # the second one read it again and did it
    assert reply.orders[0].order_id == command.order_id
    stopped.may_go_on.set()
    async with asyncio.timeout(5):
        while len(sessions) == 1:  # noqa: ASYNC110 - the first one has to begin anew
            await asyncio.sleep(0.01)
    await first.ready()
    await second.ready()
    stored = await floor.books.orders(account_id, EVERYTHING)
    assert [order.client_order_id for order in stored] == ["mine"]
    assert await floor.differences() == []
