"""What every bus of orders promises, against memory and Redis."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal

import pytest

from tests.servers import RedisAddress as ServerAddress
from tradewind.adapters.memory.order_bus import MemoryOrderBus
from tradewind.adapters.memory.order_events import MemoryOrderEvents
from tradewind.adapters.redis.command_bus import RedisCommandBus
from tradewind.adapters.redis.connection import RedisAddress, connect
from tradewind.adapters.redis.order_bus import RedisCommandSource, RedisOrderEventSource, RedisOrderPublisher
from tradewind.adapters.redis.topics import EVENTS_STREAM, commands_stream
from tradewind.adapters.system.clock import SystemClock
from tradewind.domain.commands import DepositCash
from tradewind.domain.events import CashDeposited
from tradewind.ports.bus import (
    CommandBatch,
    CommandBus,
    CommandSource,
    OrderEventSource,
    OutcomePublisher,
)
from tradewind.ports.errors import BusUnavailable, ReplyOverdue
from tradewind.ports.journal import START_OFFSET
from tradewind.ports.messages import CommandEnvelope, PublishedEvent, Reply, shard_of

ACCOUNT_ID = "0190a000-0000-7000-8000-0000000000aa"
SHARD = shard_of(ACCOUNT_ID)
OTHER_ACCOUNT_ID = next(
    account_id
    for number in range(100)
    if shard_of(account_id := f"0190a000-0000-7000-8000-{number:012x}") != SHARD
)
OTHER_SHARD = shard_of(OTHER_ACCOUNT_ID)
NOWHERE = {SHARD: START_OFFSET, OTHER_SHARD: START_OFFSET}


@dataclass
class Bench:
    """A bus with its both sides."""

    source: CommandSource
    publisher: OutcomePublisher
    events: OrderEventSource
    connect_client: Callable[[str], Awaitable[CommandBus]]
    flush: Callable[[], Awaitable[None]]
    put_malformed: Callable[[], Awaitable[None]]

    async def read(self, count: int, offsets: dict[int, str] | None = None) -> list[CommandBatch]:
        """Read on until `count` commands are here."""
        offsets = dict(offsets or NOWHERE)
        batches: list[CommandBatch] = []
        async with asyncio.timeout(5):
            while sum(len(batch.envelopes) for batch in batches) < count:
                for batch in await self.source.read(offsets, 16, 0.5):
                    batches.append(batch)
                    offsets[batch.shard] = batch.offset
        return batches


def memory_bench() -> Bench:
    bus = MemoryOrderBus(SystemClock())
    events = MemoryOrderEvents(bus)

    async def connect_client(reply_to: str) -> CommandBus:
        return bus.client(reply_to)

    async def flush() -> None:
        bus.flush()
        events.flush()

    async def put_malformed() -> None:
        bus.put(SHARD, b"\xc1not msgpack")

    return Bench(bus, events, events, connect_client, flush, put_malformed)


async def redis_bench(address: ServerAddress, stack: AsyncExitStack) -> Bench:
    redis = connect(RedisAddress(*address))
    source, publisher, events = (
        RedisCommandSource(redis),
        RedisOrderPublisher(redis),
        RedisOrderEventSource(redis),
    )
    for closing in (redis.aclose, source.close, publisher.close, events.close):
        stack.push_async_callback(closing)
    await events.read(0.01)  # it follows from its first read on

    async def connect_client(reply_to: str) -> CommandBus:
        bus = await stack.enter_async_context(RedisCommandBus(redis, SystemClock(), reply_to))
        async with asyncio.timeout(5):
            while not bus.is_connected:  # noqa: ASYNC110 - nothing tells when it is
                await asyncio.sleep(0.005)
        return bus

    async def flush() -> None:
        await redis.flushall()

    async def put_malformed() -> None:
        await redis.xadd(commands_stream(SHARD), {b"c": b"\xc1not msgpack"})
        await redis.xadd(commands_stream(SHARD), {b"other": b"field"})
        await redis.xadd(EVENTS_STREAM, {b"e": b"\xc1not msgpack"})
        await redis.publish("orders:replies:first", b"\xc1not msgpack")

    return Bench(source, publisher, events, connect_client, flush, put_malformed)


@pytest.fixture(params=["memory", "redis"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    if request.param == "memory":
        yield memory_bench()
        return
    async with AsyncExitStack() as stack:
        yield await redis_bench(request.getfixturevalue("redis_flushed"), stack)


def envelope(
    number: int, *, account_id: str = ACCOUNT_ID, reply_to: str = "first", within_s: float = 5
) -> CommandEnvelope:
    now_ns = SystemClock().now_ns()
    return CommandEnvelope(
        command_id=f"command-{number}",
        correlation_id=f"correlation-{number}",
        reply_to=reply_to,
        received_ns=now_ns,
        deadline_ns=now_ns + int(within_s * 1e9),
        command=DepositCash(account_id=account_id, amount=Decimal(f"{number}.50")),
    )


async def sent(client: CommandBus, envelopes: Iterable[CommandEnvelope]) -> list[asyncio.Task[Reply]]:
    """Commands on their way; who sent them waits in the tasks."""
    tasks = [asyncio.create_task(client.send(each)) for each in envelopes]
    await asyncio.sleep(0)
    return tasks


async def answer(bench: Bench, batches: Iterable[CommandBatch]) -> None:
    for batch in batches:
        for each in batch.envelopes:
            await bench.publisher.publish([], {each.reply_to: [Reply(command_id=each.command_id)]})


async def test_commands_arrive_complete_and_in_order_packed_in_few_entries(bench: Bench) -> None:
    client = await bench.connect_client("first")
    envelopes = [envelope(number) for number in range(50)]
    tasks = await sent(client, envelopes)
    batches = await bench.read(50)
    assert [each for batch in batches for each in batch.envelopes] == envelopes
    assert len(batches) <= 2, "what waits at one moment travels together"
    await answer(bench, batches)
    assert [task.result().command_id for task in tasks if await task] == [e.command_id for e in envelopes]


async def test_each_account_has_its_shard(bench: Bench) -> None:
    client = await bench.connect_client("first")
    tasks = await sent(client, [envelope(1), envelope(2, account_id=OTHER_ACCOUNT_ID)])
    batches = await bench.read(2)
    assert {batch.shard: batch.envelopes[0].command_id for batch in batches} == {
        SHARD: "command-1",
        OTHER_SHARD: "command-2",
    }
    await answer(bench, batches)
    await asyncio.gather(*tasks)


async def test_replies_reach_the_process_that_asked(bench: Bench) -> None:
    first, second = await bench.connect_client("first"), await bench.connect_client("second")
    waiting = [
        *await sent(first, [envelope(1, reply_to="first", within_s=0.2)]),
        *await sent(second, [envelope(2, reply_to="second")]),
    ]
    await bench.read(2)
    await bench.publisher.publish(
        [], {"second": [Reply(command_id="command-1"), Reply(command_id="command-2")]}
    )
    assert (await waiting[1]).command_id == "command-2"
    with pytest.raises(ReplyOverdue):
        await waiting[0]


async def test_a_reply_that_nobody_waits_for_is_dropped(bench: Bench) -> None:
    await bench.connect_client("first")
    await bench.publisher.publish(
        [], {"first": [Reply(command_id="late")], "gone": [Reply(command_id="late")]}
    )


async def test_reading_again_from_an_offset_gives_the_same(bench: Bench) -> None:
    client = await bench.connect_client("first")
    tasks = []
    for number in range(3):  # one after another: an entry each
        tasks += await sent(client, [envelope(number)])
        await bench.read(number + 1)
    batches = await bench.read(3)
    assert len(batches) == 3
    assert await bench.read(3) == batches
    assert await bench.read(1, {SHARD: batches[1].offset}) == batches[2:]
    await answer(bench, batches)
    await asyncio.gather(*tasks)


async def test_reading_waits_for_the_first_and_no_longer_than_told(bench: Bench) -> None:
    assert await bench.source.read(NOWHERE, 16, 0.05) == []
    client = await bench.connect_client("first")
    reading = asyncio.create_task(bench.read(1))
    await asyncio.sleep(0.02)
    tasks = await sent(client, [envelope(1)])
    await answer(bench, await reading)
    await asyncio.gather(*tasks)


async def test_forgetting_what_is_done_keeps_what_is_not(bench: Bench) -> None:
    client = await bench.connect_client("first")
    tasks = await sent(client, [envelope(1)])
    (first,) = await bench.read(1)
    await bench.source.forget({SHARD: first.offset})
    tasks += await sent(client, [envelope(2)])
    batches = await bench.read(1, {SHARD: first.offset})
    assert [each.command_id for each in batches[0].envelopes] == ["command-2"]
    await answer(bench, [first, *batches])
    await asyncio.gather(*tasks)


async def test_after_a_flush_the_old_offset_still_works(bench: Bench) -> None:
    client = await bench.connect_client("first")
    tasks = await sent(client, [envelope(1)])
    (before,) = await bench.read(1)
    await asyncio.sleep(0.002)  # the time that offsets are made of goes on
    await bench.flush()
    tasks += await sent(client, [envelope(2)])
    (after,) = await bench.read(1, {SHARD: before.offset, OTHER_SHARD: START_OFFSET})
    assert [each.command_id for each in after.envelopes] == ["command-2"]
    await answer(bench, [before, after])
    await asyncio.gather(*tasks)


async def test_what_a_flush_destroyed_is_overdue(bench: Bench) -> None:
    client = await bench.connect_client("first")
    (task,) = await sent(client, [envelope(1, within_s=0.1)])
    await bench.read(1)
    await bench.flush()
    with pytest.raises(ReplyOverdue):
        await task


async def test_a_malformed_entry_is_skipped(bench: Bench) -> None:
    client = await bench.connect_client("first")
    await bench.put_malformed()
    tasks = await sent(client, [envelope(1)])
    batches = await bench.read(1)
    assert [len(batch.envelopes) for batch in batches][-1] == 1
    await answer(bench, batches)
    await asyncio.gather(*tasks)
    await bench.publisher.publish([deposited(1)])
    assert [event.seq for event in await events_within(bench, 1)] == [1]


def deposited(seq: int, shard: int = SHARD) -> PublishedEvent:
    event = CashDeposited(account_id=ACCOUNT_ID, currency="USD", amount=Decimal("1.50"))
    return PublishedEvent(shard=shard, seq=seq, ts_ns=7, correlation_id="c", event=event)


async def events_within(bench: Bench, count: int) -> list[PublishedEvent]:
    events: list[PublishedEvent] = []
    async with asyncio.timeout(5):
        while len(events) < count:
            events.extend(notice.open() for notice in await bench.events.read(0.5))
    return events


async def test_events_arrive_in_order(bench: Bench) -> None:
    published = [deposited(1), deposited(2), deposited(1, OTHER_SHARD), deposited(3)]
    await bench.publisher.publish(published[:1])
    await bench.publisher.publish(published[1:])
    events = await events_within(bench, 4)
    for shard in (SHARD, OTHER_SHARD):
        ours = [event for event in published if event.shard == shard]
        assert [event for event in events if event.shard == shard] == ours
    assert await bench.events.read(0.01) == []


async def test_a_bus_that_is_away_says_so() -> None:
    away = MemoryOrderBus(SystemClock())
    away.is_available = False
    redis = connect(RedisAddress("127.0.0.1", 1), timeout_s=1)
    source, publisher = RedisCommandSource(redis), RedisOrderPublisher(redis)
    calls: list[Awaitable[object]] = [
        away.read(NOWHERE, 1, 0.1),
        away.forget(NOWHERE),
        away.reply({}),
        away.client("first").send(envelope(1)),
        source.read(NOWHERE, 1, 0.1),
        source.forget(NOWHERE),
        publisher.publish([], {"first": [Reply(command_id="1")]}),
        publisher.publish([deposited(1)]),
        RedisCommandBus(redis, SystemClock(), "first").send(envelope(1)),
    ]
    for call in calls:
        with pytest.raises(BusUnavailable):
            await call
    await redis.aclose()
