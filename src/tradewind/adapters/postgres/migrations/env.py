"""Alembic's entry: runs the migrations on the connection that `tradewind.adapters.postgres.migrate` hands over."""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from sqlalchemy import text

from tradewind.version import __version__

# Beside Alembic's own table, which holds a revision and nothing else.
NOTES = """
CREATE TABLE IF NOT EXISTS schema_compatibility (
    revision        text PRIMARY KEY,
    compatible_from text NOT NULL,
    made_by         text NOT NULL,
    made_at         timestamptz NOT NULL DEFAULT now()
)
"""


def note_compatibility(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
) -> None:
    """In the transaction of each migration: the oldest revision whose code works on what it made."""
    script = step.up_revision
    assert isinstance(script, Script)
    connection = ctx.connection
    assert connection is not None
    connection.execute(text(NOTES))
    connection.execute(
        text("INSERT INTO schema_compatibility (revision, compatible_from, made_by) VALUES (:r, :c, :m)"),
        {"r": script.revision, "c": script.module.compatible_from, "m": __version__},
    )


context.configure(
    connection=context.config.attributes["connection"],
    transaction_per_migration=True,
    on_version_apply=note_compatibility,
)
with context.begin_transaction():
    context.run_migrations()
