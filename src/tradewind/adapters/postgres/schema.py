"""Which schema a database has, and whether this version of the code may work on it.

A revision is the number that a migration's file begins with. Migrations leave beside their revision the oldest one whose
code still works on what they made: so replicas of the version before go on, and may be restarted, while an upgrade is
under way. It needs nothing but the driver: every service asks at its start.
"""

from pathlib import Path

import asyncpg
import msgspec

from tradewind.ports.errors import StoreUnavailable
from tradewind.version import __version__

RESTORED_SETTING = "tradewind.restored"
"""A setting of the server that a restore leaves: what was restored, and when."""
ACCEPTED_RESTORES = "accepted_restores"
"""Where `tradewind db restored` notes the values of that setting that it has dealt with."""
CONNECT_TIMEOUT_S = 5.0
_VERSIONS = Path(__file__).parent / "migrations" / "versions"


class StoredSchema(msgspec.Struct, frozen=True):
    """What a database says of itself; all None when it is empty."""

    revision: str | None = None
    compatible_from: str | None = None
    """The oldest revision whose code works on this schema."""
    made_by: str | None = None
    """The version of the product that ran the last migration."""
    restored: str | None = None
    """What was restored, while `tradewind db restored` has not made the rest of the platform fit it."""


def known_revisions() -> tuple[str, ...]:
    """The revisions that this version has migrations for, oldest first."""
    return tuple(sorted(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*_*.py")))


async def stored_schema(database_url: str) -> StoredSchema:
    """Ask the database. Raises `StoreUnavailable` when it cannot be reached, `asyncpg.PostgresError` when it refuses."""
    try:
        connection = await asyncpg.connect(
            database_url, timeout=CONNECT_TIMEOUT_S, command_timeout=CONNECT_TIMEOUT_S
        )
        try:
            return await _read(connection)
        finally:
            connection.terminate()
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError) as error:
        raise StoreUnavailable(f"the database cannot be reached: {error or 'no answer'}") from error


async def _read(connection: asyncpg.Connection) -> StoredSchema:
    restored = await unaccepted_restore(connection)
    there = await connection.fetchval("SELECT to_regclass('alembic_version')::text")
    revision = await connection.fetchval("SELECT version_num FROM alembic_version") if there else None
    if revision is None:
        return StoredSchema(restored=restored)
    noted = None
    if await connection.fetchval("SELECT to_regclass('schema_compatibility')::text"):
        noted = await connection.fetchrow(
            "SELECT compatible_from, made_by FROM schema_compatibility WHERE revision = $1", revision
        )
    return StoredSchema(
        revision=revision,
        compatible_from=revision if noted is None else noted["compatible_from"],
        made_by=None if noted is None else noted["made_by"],
        restored=restored,
    )


async def unaccepted_restore(connection: asyncpg.Connection) -> str | None:
    """What the server was restored from, unless that was dealt with."""
    restored: str | None = await connection.fetchval("SELECT current_setting($1, true)", RESTORED_SETTING)
    if not restored or not await connection.fetchval("SELECT to_regclass($1)::text", ACCEPTED_RESTORES):
        return restored or None
    accepted = await connection.fetchval(
        f"SELECT EXISTS (SELECT 1 FROM {ACCEPTED_RESTORES} WHERE restored = $1)", restored
    )
    return None if accepted else restored


def is_newer(stored: StoredSchema) -> bool:
    """Whether a later version than this one has migrated it."""
    return stored.revision is not None and stored.revision not in known_revisions()


def why_not_usable(stored: StoredSchema) -> str | None:
    """None when this version's services may work on it, else what is wrong and the mend."""
    known = known_revisions()
    if stored.revision is None:
        return "the database has no schema yet: run `tradewind db upgrade`"
    if is_newer(stored):
        if stored.compatible_from not in known:
            return too_new(stored)
    elif stored.revision != known[-1]:
        return (
            f"the database has schema {stored.revision} and Tradewind {__version__} needs {known[-1]}: "
            "run `tradewind db upgrade`"
        )
    if stored.restored is not None:
        return (
            f"the database was restored ({stored.restored}) and Redis may still hold what came later: "
            "run `tradewind db restored` before any service starts"
        )
    return None


def too_new(stored: StoredSchema) -> str:
    """The refusal of a database that only a later version understands."""
    maker = f"Tradewind {stored.made_by}" if stored.made_by else "a later version"
    return (
        f"the database has schema {stored.revision}, made by {maker}; Tradewind {__version__} knows "
        f"{known_revisions()[-1]} at most and a schema is never taken back: run {maker} or later, or restore "
        "the backup that was made before the upgrade"
    )
