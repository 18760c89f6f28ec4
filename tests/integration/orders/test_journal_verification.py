"""`tradewind journal verify`: clean where all is well, and every kind of damage is found."""

import asyncio
import re

import asyncpg
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

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
from tradewind.adapters.postgres import journal_audit
from tradewind.adapters.postgres.engine import create_engine
from tradewind.adapters.postgres.journal_audit import PostgresJournalAudit, PostgresJournalSnapshot
from tradewind.adapters.postgres.shard_journal import open_shard_journal
from tradewind.cli import db, journal
from tradewind.domain.market.universe import default_universe
from tradewind.engine import verification
from tradewind.engine.verification import ShardVerdict
from tradewind.services.orders.verification import verify_journal, verify_shard

EVENT_COUNT = 13


@pytest.fixture
async def traded(database_url: str) -> str:
    """A database in which one account has traded: an open order, a filled, a replaced and a cancelled one."""
    session = await open_shard_journal(database_url, "verification")
    await session.claim([SHARD])
    writer = Writer(await session.load(SHARD))
    batches = [
        (*funded(), buy(1), buy(2, "3"), buy(3, "4")),
        (accepted(1), fill(1, "4"), fill(2, "3"), accepted(3)),
        (replace(3, 4, "5"), replaced(3, 4), canceled(4), buy(1, "99", client_order_id="client-1")),
    ]
    for number, batch in enumerate(batches, start=1):
        await session.commit(session.prepare([writer.write(*batch, offset=f"1-{number}")]))
    await session.close()
    return database_url


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        changed = await connection.execute(statement)
        assert changed.endswith(" 1"), f"{statement} must change one row: {changed}"
    await connection.close()


async def verdict_of(url: str) -> ShardVerdict:
    """The traded shard's; all others must be empty and clean."""
    engine = create_engine(url)
    verdicts = [verdict async for verdict in verify_journal(PostgresJournalAudit(engine))]
    await engine.dispose()
    assert [verdict.shard for verdict in verdicts] == list(range(16))
    assert all(verdict.difference_count == 0 for verdict in verdicts if verdict.shard != SHARD)
    return verdicts[SHARD]


async def verify(url: str) -> Result:
    """The command, as a user runs it."""
    arguments = ["verify", "--database-url", url]
    return await asyncio.to_thread(CliRunner().invoke, journal.command, arguments)


async def test_what_was_written_right_is_clean(traded: str) -> None:
    verdict = await verdict_of(traded)
    assert (verdict.difference_count, verdict.differences) == (0, [])
    counts = (verdict.event_count, verdict.account_count, verdict.order_count, verdict.execution_count)
    assert counts == (EVENT_COUNT, 1, 4, 2)
    assert verdict.line_count > 0
    result = await verify(traded)
    assert result.exit_code == 0, result.output
    assert "agree" in result.output


async def test_pages_make_no_difference(traded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await verdict_of(traded)
    for size in (1, 3, EVENT_COUNT):
        monkeypatch.setattr(journal_audit, "PAGE_EVENTS", size)
        assert await verdict_of(traded) == whole


DAMAGES = [
    ("UPDATE accounts SET cash_available = cash_available + 0.0000000001", "account cash_available"),
    ("UPDATE accounts SET cash_held = 0", "account cash_held"),
    ("UPDATE accounts SET halt_reason = 'x'", "account halt_reason"),
    ("UPDATE accounts SET multiplier = 4", "account multiplier"),
    ("UPDATE accounts SET last_submitted_ns = last_submitted_ns + 1", "account last_submitted_ns"),
    ("UPDATE positions SET qty = -qty", "position qty"),
    ("UPDATE positions SET cost_basis = cost_basis - 1", "position cost_basis"),
    ("UPDATE positions SET realised_pnl = 1", "position realised_pnl"),
    ("UPDATE positions SET held_qty = 1", "position held_qty"),
    ("DELETE FROM positions", "position"),
    (f"UPDATE orders SET status = 'new' WHERE order_id = '{uuid(2)}'", "order status"),
    (f"UPDATE orders SET is_open = false WHERE order_id = '{uuid(1)}'", "order is_open"),
    (f"UPDATE orders SET filled_qty = 9 WHERE order_id = '{uuid(1)}'", "order filled_qty"),
    (f"UPDATE orders SET replaced_by = NULL WHERE order_id = '{uuid(3)}'", "order replaced_by"),
    (f"UPDATE orders SET execution_ids = '{{}}' WHERE order_id = '{uuid(2)}'", "order execution_ids"),
    (f"UPDATE orders SET client_order_id = 'other' WHERE order_id = '{uuid(2)}'", "order client_order_id"),
    (f"DELETE FROM orders WHERE order_id = '{uuid(4)}'", "order"),
    ("UPDATE executions SET price = price + 1 WHERE execution_id = 'E-1-4'", "execution price"),
    ("UPDATE executions SET fee = 0 WHERE execution_id = 'E-1-4'", "execution fee"),
    ("UPDATE executions SET seq = seq + 1 WHERE execution_id = 'E-1-4'", "execution seq"),
    ("DELETE FROM executions WHERE execution_id = 'E-1-4'", "execution"),
    ("UPDATE ledger_postings SET amount = amount + 1 WHERE seq = 2 AND line = 0", "balance of USD"),
    ("UPDATE ledger_postings SET unit = 'EUR' WHERE seq = 2 AND line = 0", "ledger line"),
    ("UPDATE ledger_postings SET ledger_account = 'fees' WHERE seq = 2 AND line = 1", "ledger line"),
    ("DELETE FROM ledger_postings WHERE seq = 2 AND line = 0", "ledger line"),
    (
        f"INSERT INTO ledger_postings VALUES ({SHARD}, 999, 0, '{ACCOUNT_ID}', 'fees', 'USD', 1)",
        "ledger line",
    ),
    (f"UPDATE shards SET last_seq = last_seq + 1 WHERE shard = {SHARD}", "last_seq"),
    (f"UPDATE shards SET published_seq = 999 WHERE shard = {SHARD}", "published_seq"),
    ("DELETE FROM journal WHERE seq = 5", "sequence"),
    ("UPDATE journal SET event_type = 'CashWithdrawn' WHERE seq = 2", "event_type"),
    (f"UPDATE journal SET account_id = '{uuid(1)}' WHERE seq = 2", "account_id of event"),
    ('UPDATE journal SET payload = \'{"type": "Nothing"}\' WHERE seq = 2', "event"),
    (
        "UPDATE journal SET payload = CAST(replace(CAST(payload AS text), '10000.50', '10000.51') AS json)  WHERE seq = 2",
        "ledger line",
    ),
    ("UPDATE journal SET ts_ns = ts_ns + 1 WHERE event_type = 'OrderCanceled'", "order updated_at_ns"),
]


async def test_every_damage_is_found(traded: str) -> None:
    engine = create_engine(traded)
    missed = {}
    async with engine.connect() as connection:
        for damage, what in DAMAGES:
            changed = await connection.execute(text(damage))
            assert changed.rowcount == 1, f"{damage} must change one row"
            verdict = await verify_shard(PostgresJournalSnapshot(connection), SHARD)
            found = {difference.what for difference in verdict.differences}
            if what not in found:
                missed[damage] = found
            await connection.rollback()
        assert (await verify_shard(PostgresJournalSnapshot(connection), SHARD)).differences == []
    await engine.dispose()
    assert not missed


async def test_the_command_shows_each_difference_and_fails(traded: str) -> None:
    await execute(
        traded,
        "UPDATE accounts SET cash_held = 7",
        f"UPDATE orders SET status = 'new' WHERE order_id = '{uuid(2)}'",
    )
    result = await verify(traded)
    assert result.exit_code == 1
    assert f"shard {SHARD}: order status of {uuid(2)}: filled by the journal, new stored" in result.output
    assert re.search(rf"account cash_held of {ACCOUNT_ID}: 300\.0* by the journal, 7 stored", result.output)
    assert "3 differences" in result.output, "the account's differs from its ledger too"


async def test_beyond_the_bound_differences_are_counted(traded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "MAX_DIFFERENCES", 1)
    await execute(traded, "UPDATE accounts SET cash_held = 7, cash_available = 7")
    verdict = await verdict_of(traded)
    assert (len(verdict.differences), verdict.difference_count) == (1, 4)
    assert "3 more differences" in (await verify(traded)).output


async def test_verifying_while_a_service_writes_sees_one_moment(traded: str) -> None:
    session = await open_shard_journal(traded, "writing")
    await session.claim([SHARD])
    writer = Writer(await session.load(SHARD))
    verifying = [asyncio.create_task(verdict_of(traded)) for _ in range(3)]
    for number in range(30):
        write = writer.write(fill(1, "0.1", execution_id=f"more {number}"), offset=f"2-{number}")
        await session.commit(session.prepare([write]))
    for verdict in await asyncio.gather(*verifying):
        assert verdict.differences == []
    await session.close()
    assert (await verdict_of(traded)).execution_count == 32


async def test_no_database_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    result = await verify("postgresql://nobody:none@127.0.0.1:1/none")
    assert result.exit_code == 1
    assert "cannot be reached" in result.output
    result = await verify("mysql://nowhere")
    assert "--database-url must be like postgresql://" in result.output


async def test_upgrading_brings_schema_and_instruments_and_can_be_repeated(database_url: str) -> None:
    for _ in range(2):
        arguments = ["upgrade", "--database-url", database_url]
        result = await asyncio.to_thread(CliRunner().invoke, db.command, arguments)
        assert result.exit_code == 0, result.output
        assert "up to date" in result.output
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM instruments") == len(default_universe())
    await connection.close()
