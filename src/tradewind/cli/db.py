"""`tradewind db`: the schema of this version, what the database has of it, and a database that was restored."""

import asyncio

import click

from tradewind.adapters.postgres.migrate import SchemaTooNew
from tradewind.adapters.postgres.restored import ServicesRunning
from tradewind.adapters.postgres.schema import StoredSchema, known_revisions, stored_schema, why_not_usable
from tradewind.adapters.redis.connection import RedisAddress
from tradewind.cli.database import DATABASE_OPTION, chosen_database, explained
from tradewind.entrypoints.database import accept_restored, prepare_database
from tradewind.entrypoints.up.run_file import with_running_platform
from tradewind.ports.errors import BusUnavailable
from tradewind.settings import Settings

NOT_USABLE_STATUS = 1


@click.group()
def command() -> None:
    """Bring the database's schema up to date; take a restored database into use."""


@command.command(epilog="Example: DATABASE_URL=postgresql://… tradewind db upgrade")
@DATABASE_OPTION
def upgrade(database_url: str | None) -> None:
    """Run the migrations that are missing and add the instruments of a new installation.

    Safe to repeat, and from several machines at once; what is stored stays as it is. `tradewind up` does it by itself.
    A schema is never taken back: an older version refuses a newer schema that it does not understand.
    """
    database = chosen_database(database_url)
    with explained(database):
        try:
            prepare_database(database.url)
        except SchemaTooNew as error:
            raise click.ClickException(str(error)) from error
    click.echo("the database is up to date")


@command.command(epilog="Example: tradewind db status")
@DATABASE_OPTION
@click.pass_context
def status(context: click.Context, database_url: str | None) -> None:
    """Show which schema the database has and whether this version's services may start on it.

    The exit status is 1 when they may not; the last line then says why, and the mend.
    """
    database = chosen_database(database_url)
    with explained(database):
        stored = asyncio.run(stored_schema(database.url))
    known = known_revisions()
    click.echo(f"schema of the database: {_described(stored)}")
    click.echo(f"schema of this version: {known[-1]}")
    waiting = [revision for revision in known if stored.revision is None or revision > stored.revision]
    click.echo(f"migrations to run:      {', '.join(waiting) or 'none'}")
    problem = why_not_usable(stored)
    click.echo(f"services of this version may start: {'yes' if problem is None else 'no'}")
    if problem is not None:
        click.echo(problem)
        context.exit(NOT_USABLE_STATUS)


@command.command(epilog="Example: DATABASE_URL=… REDIS_HOST=… tradewind db restored")
@DATABASE_OPTION
def restored(database_url: str | None) -> None:
    """Take a database that was restored from a backup into use: the last step of a restore.

    Empties the order streams in Redis (REDIS_HOST, REDIS_PORT, REDIS_PASSWORD), which may hold commands and events of
    a time that the restored books do not know, and lets services start. Refuses while services run. Safe to repeat.
    """
    database = chosen_database(database_url)
    settings = with_running_platform(Settings.from_environment())
    if not settings.redis_host:
        raise click.ClickException("no Redis: set REDIS_HOST to the one that the services use")
    redis_address = RedisAddress(settings.redis_host, settings.redis_port, settings.redis_password)
    with explained(database):
        try:
            emptied = accept_restored(database.url, redis_address)
        except ServicesRunning as error:
            raise click.ClickException(str(error)) from error
        except BusUnavailable as error:
            raise click.ClickException(
                f"{error}: check REDIS_HOST, REDIS_PORT and REDIS_PASSWORD; nothing was changed"
            ) from error
    click.echo(f"order streams emptied: {emptied}; services may start")


def _described(stored: StoredSchema) -> str:
    if stored.revision is None:
        return "none"
    maker = f", made by Tradewind {stored.made_by}" if stored.made_by else ""
    return f"{stored.revision}{maker}, fits versions from schema {stored.compatible_from} on"
