"""Group-commit floor: one COPY in flight carries the rows of all callers waiting; each caller then waits for its commit.

It measures what PostgreSQL on this disk allows a journal of 12-column rows to do, with nothing else of the platform.
The server is named by `DATABASE_URL`; the floor makes and drops one table of its own. Prints one JSON object.
"""

import argparse
import asyncio
import os
import sys
import time
from collections import deque
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import uvloop
from uuid_utils.compat import uuid7

from benchmarks.load_plan import percentile

TABLE = "benchmark_group_commit_floor"
COLUMNS = (
    "sequence",
    "shard",
    "account_id",
    "order_id",
    "client_order_id",
    "kind",
    "symbol",
    "side",
    "qty",
    "price",
    "event_ns",
    "payload",
)
CREATE_TABLE = f"""
CREATE TABLE {TABLE} (
    sequence bigint PRIMARY KEY, shard smallint NOT NULL, account_id uuid NOT NULL, order_id uuid NOT NULL,
    client_order_id text NOT NULL, kind smallint NOT NULL, symbol text NOT NULL, side text NOT NULL,
    qty numeric NOT NULL, price numeric NOT NULL, event_ns bigint NOT NULL, payload bytea NOT NULL
)"""
PAYLOAD = bytes(160)
BATCH_ROWS_MAX = 1_000

Row = tuple[Any, ...]


class GroupCommitResult(msgspec.Struct, frozen=True, kw_only=True):
    """Rows committed inside the window and their callers' wait; `rows_in_all` includes warm-up."""

    callers: int
    measured_s: float
    rows_in_all: int
    rows_per_s: float
    commits_per_s: float
    rows_per_commit: float
    p50_ms: float
    p99_ms: float
    p99_9_ms: float
    fsync: str
    synchronous_commit: str
    cpu_s: float


class GroupCommitter:
    """Takes all rows waiting (at most `BATCH_ROWS_MAX`), commits them in one COPY, and wakes their callers."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._waiting: deque[tuple[Row, asyncio.Future[None]]] = deque()  # at most one row a caller
        self._arrived = asyncio.Event()
        self.commits = 0

    async def commit(self, row: Row) -> None:
        """Return when `row` is durable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, done))
        self._arrived.set()
        await done

    async def run(self) -> None:
        """Commit batches until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_ROWS_MAX))]
                await self._connection.copy_records_to_table(
                    TABLE, records=[row for row, _ in batch], columns=COLUMNS
                )
                self.commits += 1
                for _, done in batch:
                    done.set_result(None)
                # Let the woken callers ask again, so that the next batch carries all who wait.
                await asyncio.sleep(0)


class Callers:
    """Closed-loop callers: each asks for one row, waits for its commit, and asks again."""

    def __init__(self, committer: GroupCommitter) -> None:
        self._committer = committer
        self._sequence = 0
        self._account_id: UUID = uuid7()
        self.rows_in_all = 0
        self.latencies_ns: list[int] = []
        self.is_measuring = False

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            asked_ns = time.monotonic_ns()
            await self._committer.commit(self._row(asked_ns))
            self.rows_in_all += 1
            if self.is_measuring:
                self.latencies_ns.append(time.monotonic_ns() - asked_ns)

    def _row(self, event_ns: int) -> Row:
        self._sequence += 1
        price = Decimal(500 + self._sequence % 500).scaleb(-2)
        client_order_id = f"bench-{self._sequence}"
        order = (self._account_id, uuid7(), client_order_id)
        return (self._sequence, 0, *order, 1, "AAPL", "buy", Decimal(1), price, event_ns, PAYLOAD)


async def measure(
    database_url: str, *, callers: int, warmup_s: float, measured_s: float
) -> GroupCommitResult:
    """Run `callers` callers against one committer; raises asyncpg's errors when the server refuses."""
    connection: asyncpg.Connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
        await connection.execute(CREATE_TABLE)
        fsync: str = await connection.fetchval("SHOW fsync")
        synchronous_commit: str = await connection.fetchval("SHOW synchronous_commit")
        committer = GroupCommitter(connection)
        crowd = Callers(committer)
        tasks = [
            asyncio.create_task(committer.run()),
            *(asyncio.create_task(crowd.run()) for _ in range(callers)),
        ]
        await _sleep_watching(tasks, warmup_s)
        crowd.is_measuring = True
        commits_before, cpu_before_s, started_s = committer.commits, time.process_time(), time.monotonic()
        await _sleep_watching(tasks, measured_s)
        crowd.is_measuring = False
        took_s, cpu_s = time.monotonic() - started_s, time.process_time() - cpu_before_s
        commits = committer.commits - commits_before
        await _stop(tasks)
    finally:
        # A COPY cut short leaves the connection unusable, so the table goes through a fresh one.
        connection.terminate()
    await _drop_table(database_url)
    latencies_ns = sorted(crowd.latencies_ns)
    return GroupCommitResult(
        callers=callers,
        measured_s=round(took_s, 3),
        rows_in_all=crowd.rows_in_all,
        rows_per_s=round(len(latencies_ns) / took_s, 1),
        commits_per_s=round(commits / took_s, 1),
        rows_per_commit=round(len(latencies_ns) / max(commits, 1), 1),
        p50_ms=round(percentile(latencies_ns, 0.5) / 1e6, 3),
        p99_ms=round(percentile(latencies_ns, 0.99) / 1e6, 3),
        p99_9_ms=round(percentile(latencies_ns, 0.999) / 1e6, 3),
        fsync=fsync,
        synchronous_commit=synchronous_commit,
        cpu_s=round(cpu_s, 3),
    )


async def _sleep_watching(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    """Sleep, but end at once with the error of a task that failed."""
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _drop_table(database_url: str) -> None:
    connection: asyncpg.Connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
    finally:
        await connection.close()


def main() -> int:
    """Measure and print; 1 when `DATABASE_URL` is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.floors.group_commit_floor", description=__doc__
    )
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--warmup", type=float, default=1.0, help="seconds before measuring")
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds measured")
    options = parser.parse_args()
    database_url = os.environ.get("DATABASE_URL", "")
    if not database_url:
        print("set DATABASE_URL to the PostgreSQL server to measure", file=sys.stderr)
        return 1
    result = uvloop.run(
        measure(database_url, callers=options.callers, warmup_s=options.warmup, measured_s=options.seconds)
    )
    print(msgspec.json.encode(result).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
