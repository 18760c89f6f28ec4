"""What every journal promises, against memory and PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal

import asyncpg
import pytest

from tests.contract.journal_writes import (
    ACCOUNT_ID,
    SHARD,
    Writer,
    accepted,
    buy,
    canceled,
    fill,
    funded,
    replace,
    replaced,
    uuid,
)
from tests.core_scenarios import START_NS
from tradewind.adapters.memory.shard_journal import MemoryJournalDatabase, MemoryShardJournal
from tradewind.adapters.postgres.shard_journal import open_shard_journal
from tradewind.adapters.system.clock import SystemClock
from tradewind.ports.errors import OwnershipLost, StoreUnavailable
from tradewind.ports.journal import DeadlinePassed, ShardJournal, ShardWrite

OTHER_SHARD = (SHARD + 1) % 16
LAST_SEQ = 11
"""Events that `open_with_orders` writes."""


@dataclass
class Bench:
    """One journal, and sessions on it that can be killed."""

    connect: Callable[[], Awaitable[ShardJournal]]
    kill: Callable[[ShardJournal], Awaitable[None]]
    sessions: list[ShardJournal] = field(default_factory=list)

    async def open(self) -> ShardJournal:
        session = await self.connect()
        self.sessions.append(session)
        return session

    async def open_with_orders(self) -> tuple[ShardJournal, Writer]:
        """A session that owns the shard, with money, a part-filled order 1, a filled 2 and a replaced 3 (by 4)."""
        journal = await self.open()
        await journal.claim([SHARD])
        writer = Writer(await journal.load(SHARD))
        orders = (buy(1), buy(2, "3"), buy(3, "4"))
        await commit(journal, writer.write(*funded(), *orders, offset="1-1"))
        reports = (accepted(1), fill(1, "4"), fill(2, "3"), accepted(3))
        await commit(journal, writer.write(*reports, replace(3, 4, "5"), replaced(3, 4), offset="1-2"))
        return journal, writer


@pytest.fixture(params=["memory", "postgres"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    if request.param == "memory":
        database = MemoryJournalDatabase(SystemClock())

        async def kill_in_memory(session: ShardJournal) -> None:
            assert isinstance(session, MemoryShardJournal)
            database.kill(session)

        yield Bench(database.open, kill_in_memory)
        return
    url = request.getfixturevalue("database_url")
    names: dict[ShardJournal, str] = {}

    async def connect() -> ShardJournal:
        name = f"session {len(names)}"
        journal = await open_shard_journal(url, name)
        names[journal] = name
        return journal

    async def kill(session: ShardJournal) -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = $1 AND datname = current_database()",
            names[session],
        )
        await connection.close()

    bench = Bench(connect, kill)
    yield bench
    for session in bench.sessions:
        await session.close()


async def test_a_shard_has_one_owner_until_it_is_released(bench: Bench) -> None:
    first, second = await bench.open(), await bench.open()
    assert await first.claim([SHARD]) == {SHARD}
    assert await second.claim([SHARD, OTHER_SHARD]) == {OTHER_SHARD}
    assert await first.claim([SHARD]) == {SHARD}, "claiming again is harmless"
    await first.release([SHARD])
    assert await second.claim([SHARD]) == {SHARD, OTHER_SHARD}
    with pytest.raises(OwnershipLost):
        await first.load(SHARD)


async def test_closing_gives_every_claim_up(bench: Bench) -> None:
    first, second = await bench.open(), await bench.open()
    await first.claim([SHARD, OTHER_SHARD])
    await first.close()
    assert await claimed_within(second, [SHARD, OTHER_SHARD], 2)


async def test_replicas_are_counted(bench: Bench) -> None:
    first = await bench.open()
    assert await first.heartbeat() == 1
    second = await bench.open()
    assert (await first.heartbeat(), await second.heartbeat()) == (2, 2)
    await second.close()
    async with asyncio.timeout(2):
        while await first.heartbeat() != 1:  # noqa: ASYNC110 - nothing tells when a session has ended
            await asyncio.sleep(0.01)


async def test_an_empty_shard(bench: Bench) -> None:
    journal = await bench.open()
    await journal.claim([SHARD])
    state = await journal.load(SHARD)
    assert (state.accounts, state.last_seq, state.published_seq, state.offset) == ([], 0, 0, "0-0")
    assert not state.has_closed_orders


async def test_what_was_committed_is_loaded_again(bench: Bench) -> None:
    journal, writer = await bench.open_with_orders()
    state = await journal.load(SHARD)
    (account,) = state.accounts
    ours = writer.shard.core.state.accounts[ACCOUNT_ID]
    assert account == ours
    assert list(account.open_orders) == list(ours.open_orders) == [uuid(1), uuid(4)]
    assert account.open_orders[uuid(1)].execution_ids == ["E-1-4"]
    assert (state.last_seq, state.offset) == (LAST_SEQ, "1-2")
    assert state.has_closed_orders


AWKWARD_IDS = (
    "NULL",
    "None",
    'say "when"',
    "back\\slash",
    "{curly},comma",
    "\\",
    '"',
    "ünï-cødé ",
    " ",
    "'; --",
)


@pytest.mark.parametrize("chosen", [AWKWARD_IDS, AWKWARD_IDS[:2], ("plain", "back\\slash"), ("plain", 'q"')])
async def test_a_client_may_choose_any_text_as_an_id(bench: Bench, chosen: tuple[str, ...]) -> None:
    journal = await bench.open()
    await journal.claim([SHARD])
    writer = Writer(await journal.load(SHARD))
    orders = [buy(number, client_order_id=client_id) for number, client_id in enumerate(chosen)]
    await commit(journal, writer.write(*funded(), *orders, offset="1-1"))
    (account,) = (await journal.load(SHARD)).accounts
    assert [order.client_order_id for order in account.open_orders.values()] == list(chosen)


async def test_a_loaded_shard_goes_on_like_the_one_that_was_lost(bench: Bench) -> None:
    journal, writer = await bench.open_with_orders()
    other = Writer(await journal.load(SHARD))
    for each in (writer, other):
        each.write(canceled(1), fill(4, "5"), offset="1-3")
    assert other.shard.core.state_hash() == writer.shard.core.state_hash()


async def test_only_the_offset_may_change(bench: Bench) -> None:
    journal, writer = await bench.open_with_orders()
    write = writer.write(buy(1), offset="1-9")
    assert write.entries == []
    write.published_seq = 3
    await commit(journal, write)
    state = await journal.load(SHARD)
    assert (state.offset, state.published_seq, state.last_seq) == ("1-9", 3, write.last_seq)


async def test_orders_are_found_whether_open_or_not(bench: Bench) -> None:
    journal, writer = await bench.open_with_orders()
    orders = writer.shard.core.state.orders
    found = await journal.find_orders(
        [(ACCOUNT_ID, "client-2"), (ACCOUNT_ID, "nobody's")], [uuid(3), uuid(99)]
    )
    assert {order.order_id: order for order in found} == {uuid(n): orders[uuid(n)] for n in (2, 3)}
    assert await journal.find_orders([], []) == []


async def test_events_are_read_in_order_from_any_number_on(bench: Bench) -> None:
    journal, _ = await bench.open_with_orders()
    everything = await journal.unpublished(SHARD, 0, 100)
    assert [entry.seq for entry in everything] == list(range(1, LAST_SEQ + 1))
    assert await journal.unpublished(SHARD, 2, 3) == everything[2:5]
    assert await journal.unpublished(SHARD, LAST_SEQ, 3) == []


async def test_a_killed_session_cannot_write_and_another_takes_over(bench: Bench) -> None:
    journal, writer = await bench.open_with_orders()
    write = writer.write(buy(5), offset="1-3")
    await bench.kill(journal)
    with pytest.raises((OwnershipLost, StoreUnavailable)):
        await commit(journal, write)
    successor = await bench.open()
    assert await claimed_within(successor, [SHARD], 2)
    state = await successor.load(SHARD)
    assert (state.last_seq, state.offset) == (LAST_SEQ, "1-2")
    with pytest.raises((OwnershipLost, StoreUnavailable)):
        await journal.heartbeat()


async def test_a_session_without_the_claim_cannot_write(bench: Bench) -> None:
    journal, writer = await bench.open_with_orders()
    write = writer.write(buy(5), offset="1-3")
    await journal.release([SHARD])
    with pytest.raises(OwnershipLost):
        await commit(journal, write)


async def test_nothing_is_written_after_a_deadline(bench: Bench) -> None:
    journal, writer = await bench.open_with_orders()
    write = writer.write(buy(5), offset="1-3", deadline_ns=START_NS + 10**9)  # long ago
    with pytest.raises(DeadlinePassed):
        await commit(journal, write)
    await journal.close()
    successor = await bench.open()
    assert await claimed_within(successor, [SHARD], 2)
    state = await successor.load(SHARD)
    assert (state.offset, uuid(5) in state.accounts[0].open_orders) == ("1-2", False)
    soon_ns = SystemClock().now_ns() + 60 * 10**9
    await commit(successor, Writer(state).write(buy(6), offset="1-3", deadline_ns=soon_ns))
    assert (await successor.load(SHARD)).offset == "1-3"


async def test_a_prepared_batch_keeps_its_rows_while_the_next_one_is_applied(bench: Bench) -> None:
    journal, writer = await bench.open_with_orders()
    prepared = journal.prepare([writer.write(fill(1, "1"), offset="1-3")])
    following = writer.write(fill(1, "5", execution_id="last"), offset="1-4")
    await journal.commit(prepared)
    order = (await journal.load(SHARD)).accounts[0].open_orders[uuid(1)]
    assert (order.filled_qty, order.execution_ids) == (Decimal(5), ["E-1-4", "E-1-1"])
    await commit(journal, following)
    assert uuid(1) not in (await journal.load(SHARD)).accounts[0].open_orders


async def test_several_shards_are_written_together(bench: Bench) -> None:
    journal = await bench.open()
    await journal.claim([SHARD, OTHER_SHARD])
    ours, other = Writer(await journal.load(SHARD)), Writer(await journal.load(OTHER_SHARD))
    writes = [ours.write(*funded(), offset="1-1"), other.write(offset="7-7")]
    await journal.commit(journal.prepare(writes))
    assert [(await journal.load(shard)).offset for shard in (SHARD, OTHER_SHARD)] == ["1-1", "7-7"]


async def commit(journal: ShardJournal, write: ShardWrite) -> None:
    await journal.commit(journal.prepare([write]))


async def claimed_within(journal: ShardJournal, shards: list[int], seconds: float) -> bool:
    """Ask again and again: a server takes a moment to notice that a session ended."""
    async with asyncio.timeout(seconds):
        while not await journal.claim(shards) >= set(shards):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    return True


async def test_postgresql_ends_a_session_that_falls_silent(database_url: str) -> None:
    silent = await open_shard_journal(database_url, "silent", session_timeout_s=0.3)
    await silent.claim([SHARD])
    writer = Writer(await silent.load(SHARD))
    write = writer.write(*funded(), offset="1-1")
    waiting = await open_shard_journal(database_url, "waiting")
    assert not await waiting.claim([SHARD])
    assert await claimed_within(waiting, [SHARD], 3)
    with pytest.raises((OwnershipLost, StoreUnavailable)):
        await commit(silent, write)
    assert (await waiting.load(SHARD)).last_seq == 0
    await silent.close()
    await waiting.close()


async def test_a_session_that_stood_still_is_told_so_whenever_it_learns_of_its_end(database_url: str) -> None:
    for steps in range(4):
        stopped = await open_shard_journal(database_url, "stopped", session_timeout_s=0.1)
        time.sleep(0.3)  # noqa: ASYNC251 -- as SIGSTOP does
        for _ in range(steps):  # of the farewell and the end of the connection none, one, or both are read
            await asyncio.sleep(0)
        with pytest.raises((OwnershipLost, StoreUnavailable)):
            await stopped.heartbeat()
        await stopped.close()


async def test_a_session_that_speaks_is_left_alone(database_url: str) -> None:
    journal = await open_shard_journal(database_url, "speaking", session_timeout_s=0.3)
    for _ in range(8):
        await asyncio.sleep(0.1)
        assert await journal.heartbeat() == 1
    await journal.close()


async def test_an_unreachable_database_says_so() -> None:
    with pytest.raises(StoreUnavailable):
        await open_shard_journal("postgresql://nobody:none@127.0.0.1:1/none", "lost")
    database = MemoryJournalDatabase(SystemClock())
    database.is_available = False
    with pytest.raises(StoreUnavailable):
        await database.open()
