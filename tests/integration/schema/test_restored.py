"""Restored books beside a Redis that is empty, or that lives in a later time than they do."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal

import asyncpg

from tests.integration.orders.trading_floor import trading_floor
from tests.servers import RedisAddress
from tradewind.adapters.redis.connection import RedisAddress as Address
from tradewind.adapters.redis.topics import commands_stream
from tradewind.domain.commands import DepositCash
from tradewind.entrypoints.database import accept_restored
from tradewind.ports.errors import ReplyOverdue
from tradewind.ports.messages import shard_of

FAR_AHEAD = "9999999999999-0"
"""The last command applied before the backup, on a machine whose clock was ahead of the new one's."""


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def accepted(database_url: str, redis: RedisAddress) -> int:
    return await asyncio.to_thread(accept_restored, database_url, Address(*redis))


async def test_an_empty_redis_whose_clock_is_behind_is_read_from_its_start(
    database_url: str, redis_flushed: RedisAddress
) -> None:
    await execute(database_url, f"UPDATE shards SET stream_offset = '{FAR_AHEAD}'")
    assert await accepted(database_url, redis_flushed) == 0
    async with trading_floor(database_url, redis_flushed) as floor:
        replica = await floor.start()
        await replica.ready()
        account_id = await floor.open_account()
        reply = await floor.send(floor.buy(account_id, "1", "90"))
        assert reply.refusal is None


async def test_commands_of_a_time_that_was_undone_do_not_come_back(
    database_url: str, redis_flushed: RedisAddress
) -> None:
    """Even those whose deadline is not over, as after the fastest of restores."""
    async with trading_floor(database_url, redis_flushed) as floor:
        replica = await floor.start()
        await replica.ready()
        account_id = await floor.open_account("1000")
        await replica.stop()

        # What the books do not know: acknowledged after the moment of the restore, still in the stream.
        deposit = floor.envelope(DepositCash(account_id=account_id, amount=Decimal(500)), within_s=60)
        sending = asyncio.create_task(floor.client.send(deposit))
        stream = commands_stream(shard_of(account_id))
        async with asyncio.timeout(5):
            while not await floor.redis.xlen(stream):  # noqa: ASYNC110 -- Redis tells nobody
                await asyncio.sleep(0.01)
        assert await accepted(database_url, redis_flushed) >= 1
        again = await floor.start()
        await again.ready()
        reply = await floor.send(DepositCash(account_id=account_id, amount=Decimal(1)))
        assert reply.refusal is None
        account = await floor.books.account(account_id)
        assert account is not None
        assert account.cash_available == Decimal(1001)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_without_it_commands_past_their_deadline_are_refused_untried(
    database_url: str, redis_flushed: RedisAddress
) -> None:
    """Streams that run ahead do no harm but noise: what the deadline is for."""
    async with trading_floor(database_url, redis_flushed) as floor:
        replica = await floor.start()
        await replica.ready()
        account_id = await floor.open_account("1000")
        await replica.stop()
        late = floor.envelope(DepositCash(account_id=account_id, amount=Decimal(500)), within_s=0.05)
        with suppress(ReplyOverdue):
            await floor.client.send(late)
        again = await floor.start()
        await again.ready()
        await floor.send(DepositCash(account_id=account_id, amount=Decimal(1)))
        account = await floor.books.account(account_id)
        assert account is not None
        assert account.cash_available == Decimal(1001)


async def test_it_is_refused_while_services_write(database_url: str, redis_flushed: RedisAddress) -> None:
    async with trading_floor(database_url, redis_flushed) as floor:
        replica = await floor.start()
        await replica.ready()
        answer = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "tradewind.cli.main", "db", "restored"],
            env=os.environ | {"DATABASE_URL": database_url} | redis_flushed.settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 2
        assert "services are running (1 sessions): stop all services" in answer.stderr
