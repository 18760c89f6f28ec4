"""What operators need to know of PostgreSQL, and whether the ledger's lines balance."""

import time

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tradewind.adapters.postgres.sessions import reading
from tradewind.operations.logging import get_logger
from tradewind.operations.metrics import (
    LEDGER_CHECKED,
    LEDGER_LAST_CHECK,
    LEDGER_UNBALANCED,
    POSTGRES_CONNECTIONS,
    POSTGRES_CONNECTIONS_MAX,
    POSTGRES_DATABASE_BYTES,
    POSTGRES_DEADLOCKS,
    POSTGRES_OLDEST_TRANSACTION,
)

CHECKED_EVENTS_MAX = 2_000
"""Events of each shard whose lines one measurement adds up, so that it takes milliseconds."""
FULL_PASS_INTERVAL_S = 3_600.0
"""How often the whole ledger is added up again; new events are within seconds of their commit."""
UNBALANCED_SHOWN_MAX = 10
"""Unbalanced events of a shard that one measurement logs."""

_log = get_logger(__name__)

_SERVER = text("""
SELECT current_setting('max_connections')::int AS connections_max,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)
          FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS oldest_s,
       pg_database_size(current_database()) AS database_bytes,
       (SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()) AS deadlocks
""")
_HEADS = text("SELECT shard, last_seq FROM shards ORDER BY shard")
_UNBALANCED = text(f"""
SELECT seq, unit, sum(amount) AS amount FROM ledger_postings
 WHERE shard = :shard AND seq > :after AND seq <= :until
 GROUP BY seq, unit HAVING sum(amount) <> 0 ORDER BY seq LIMIT {UNBALANCED_SHOWN_MAX}
""")


class PostgresHealth:
    """Measures the server and the database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def measure(self) -> None:
        """Set the gauges. Raises `StoreUnavailable`."""
        async with reading(self._engine) as connection:
            row = (await connection.execute(_SERVER)).one()
        POSTGRES_CONNECTIONS.set(row.connections)
        POSTGRES_CONNECTIONS_MAX.set(row.connections_max)
        POSTGRES_DATABASE_BYTES.set(row.database_bytes)
        POSTGRES_OLDEST_TRANSACTION.set(float(row.oldest_s))
        POSTGRES_DEADLOCKS.set(row.deadlocks or 0)


class LedgerCheck:
    """Adds up the ledger's lines, event by event, from the first to the newest, some at each call; once an hour anew.

    It finds damage soon after it happens and costs little; `tradewind journal verify` compares everything.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._checked: dict[int, int] = {}
        self._unbalanced: set[tuple[int, int]] = set()
        self._pass_began_s = time.monotonic()
        LEDGER_UNBALANCED.set(0)

    async def measure(self) -> None:
        """Check the next events of each shard. Raises `StoreUnavailable`."""
        async with reading(self._engine) as connection:
            heads = (await connection.execute(_HEADS)).all()
            for shard, head in heads:
                after = self._checked.get(shard, 0)
                until = min(after + CHECKED_EVENTS_MAX, head)
                if until > after:
                    place = {"shard": shard, "after": after, "until": until}
                    for row in (await connection.execute(_UNBALANCED, place)).all():
                        self._tell(shard, row.seq, f"{row.amount} {row.unit}")
                    LEDGER_CHECKED.inc(until - after)
                self._checked[shard] = until
        if all(self._checked[shard] >= head for shard, head in heads):
            self._begin_anew_when_due()
        LEDGER_UNBALANCED.set(len(self._unbalanced))
        LEDGER_LAST_CHECK.set(time.time())

    def _begin_anew_when_due(self) -> None:
        now_s = time.monotonic()
        if now_s - self._pass_began_s > FULL_PASS_INTERVAL_S:
            self._pass_began_s = now_s
            self._checked.clear()

    def _tell(self, shard: int, seq: int, rest: str) -> None:
        if (shard, seq) not in self._unbalanced:
            self._unbalanced.add((shard, seq))
            _log.error("ledger lines do not sum to zero", shard=shard, seq=seq, rest=rest)
