"""PostgreSQL: reachable, new enough, with this version's schema, and set to lose nothing."""

import time
from collections.abc import Iterator, Mapping

import asyncpg
import msgspec

from tradewind.adapters.postgres.schema import stored_schema, why_not_usable
from tradewind.adapters.postgres.shard_journal import SHARD_LOCKS
from tradewind.cli.doctor_checks.finding import Finding, fail, ok, warn
from tradewind.operations.logging import mask_url_passwords
from tradewind.ports.errors import StoreUnavailable
from tradewind.ports.messages import SHARD_COUNT

TIMEOUT_S = 5.0
MIN_VERSION = 140_000
"""The first with `idle_session_timeout`, which ends the session of an owner that stands still."""
CONNECTIONS_SHARE_MAX = 0.85

_MUST_BE_ON = {
    "fsync": "a power cut would lose orders that were acknowledged",
    "synchronous_commit": "a crash of the server would lose orders that were acknowledged",
    "full_page_writes": "a power cut could damage the tables",
}
_FACTS = """
SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text,
       current_setting('max_connections')::int AS connections_max,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('full_page_writes') AS full_page_writes,
       extract(epoch FROM clock_timestamp())::float8 AS clock_s
"""
_OWNED = """
SELECT DISTINCT objid::int FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = $1
   AND objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class DatabaseState(msgspec.Struct):
    """What other checks take from the database; None where it did not tell."""

    findings: list[Finding]
    offsets: Mapping[int, str] | None = None
    """Of each shard, the last command entry that was applied."""
    ahead_s: float | None = None
    """How far its clock is ahead of ours."""


async def check_postgres(url: str) -> DatabaseState:
    """Look at the server and the database."""
    try:
        connection = await asyncpg.connect(url, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        reason = mask_url_passwords(" ".join(str(error).split()) or type(error).__name__)
        mend = "is it running, and are host, port, user and password in DATABASE_URL right?"
        return DatabaseState([fail("PostgreSQL", f"cannot be reached: {reason}", mend)])
    try:
        return await _look(connection, url)
    except (OSError, TimeoutError, asyncpg.PostgresError, StoreUnavailable) as error:
        return DatabaseState(
            [fail("PostgreSQL", f"does not answer what it is asked: {error}", "see its log, then try again")]
        )
    finally:
        connection.terminate()


async def _look(connection: asyncpg.Connection, url: str) -> DatabaseState:
    before_s = time.time()
    facts = await connection.fetchrow(_FACTS)
    now_s = (before_s + time.time()) / 2
    assert facts is not None
    state = DatabaseState([*_server(facts)], ahead_s=facts["clock_s"] - now_s)
    problem = why_not_usable(await stored_schema(url))
    if problem is not None:
        state.findings.append(fail("schema", problem, "what it says; see docs/operations/upgrade.md"))
        return state
    state.findings.append(ok("schema", "the one of this version, or one that fits it"))
    owned = {row["objid"] for row in await connection.fetch(_OWNED, SHARD_LOCKS)}
    state.findings.append(_shards(owned))
    rows = await connection.fetch("SELECT shard, stream_offset FROM shards")
    state.offsets = {row["shard"]: row["stream_offset"] for row in rows}
    return state


def _server(facts: asyncpg.Record) -> Iterator[Finding]:
    if facts["version"] < MIN_VERSION:
        yield fail("PostgreSQL", f"version {facts['version_text']} is too old", "use PostgreSQL 14 or newer")
    else:
        yield ok("PostgreSQL", f"version {facts['version_text']}")
    off = [name for name in _MUST_BE_ON if facts[name] in ("off", "local")]
    for name in off:
        # The order service's own session asks for synchronous_commit; everything else that is written does not.
        finding = warn if name == "synchronous_commit" else fail
        yield finding(name, f"is {facts[name]}: {_MUST_BE_ON[name]}", f"set {name} = on in postgresql.conf")
    if not off:
        yield ok("durability", "fsync, synchronous_commit and full_page_writes are on")
    used, allowed = facts["connections"], facts["connections_max"]
    text = f"{used} of {allowed} connections are in use"
    if used > allowed * CONNECTIONS_SHARE_MAX:
        yield warn("connections", text, "raise max_connections, or run fewer replicas")
    else:
        yield ok("connections", text)


def _shards(owned: set[int]) -> Finding:
    missing = sorted(set(range(SHARD_COUNT)) - owned)
    if not missing:
        return ok("shards", f"all {SHARD_COUNT} have an owner")
    names = ", ".join(map(str, missing))
    mend = "start order-service; if it runs, its log says why it does not own them"
    return fail("shards", f"nobody owns {len(missing)} of {SHARD_COUNT}: {names}", mend)
