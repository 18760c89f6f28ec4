"""The journal as followers read it: the same from PostgreSQL as from memory."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.integration.websocket.journal_rows import insert_entry
from tests.unit.services.websocket.makers import (
    acknowledged,
    canceled,
    entry,
    executed,
    make_order,
    submitted,
)
from tradewind.adapters.memory.journal_reader import MemoryJournalReader
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.journal_reader import PostgresJournalReader
from tradewind.domain.events import JournalEntry
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.journal_reader import JournalReader
from tradewind.ports.messages import SHARD_COUNT

Commit = Callable[[JournalEntry], Awaitable[None]]


@pytest.fixture(params=["memory", "postgres"])
async def journal(request: pytest.FixtureRequest) -> AsyncIterator[tuple[JournalReader, Commit]]:
    if request.param == "memory":
        memory = MemoryJournalReader()

        async def append(new: JournalEntry) -> None:
            memory.append(new)

        yield memory, append
        return
    engine = create_engine(request.getfixturevalue("database_url"))

    async def insert(new: JournalEntry) -> None:
        await insert_entry(engine, new)

    yield PostgresJournalReader(engine), insert
    await engine.dispose()


async def test_an_empty_journal_has_every_shard_at_zero(journal: tuple[JournalReader, Commit]) -> None:
    reader, _ = journal
    assert await reader.heads() == dict.fromkeys(range(SHARD_COUNT), 0)
    assert await reader.entries(0, 0, 10) == []


async def test_entries_come_back_as_they_were_written(journal: tuple[JournalReader, Commit]) -> None:
    reader, commit = journal
    events = [submitted(make_order()), acknowledged(), executed(), canceled()]
    entries = [entry(seq, event) for seq, event in enumerate(events, start=1)]
    for each in entries:
        await commit(each)
    shard = entries[0].shard
    assert (await reader.heads())[shard] == 4
    assert await reader.entries(shard, 0, 10) == entries
    assert await reader.entries(shard, 1, 2) == entries[1:3]
    assert await reader.entries((shard + 1) % SHARD_COUNT, 0, 10) == []


async def test_a_lost_database_is_told_in_our_words() -> None:
    engine = create_engine("postgresql://nobody:nothing@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable):
        await PostgresJournalReader(engine).heads()
    await engine.dispose()
