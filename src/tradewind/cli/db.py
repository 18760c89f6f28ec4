"""`tradewind db upgrade`: the schema of this version, and the instruments."""

import asyncpg
import click
import sqlalchemy.exc

from tradewind.cli.platform_connection import platform_settings
from tradewind.entrypoints.database import prepare_database
from tradewind.ports.errors import StoreUnavailable


@click.group()
def command() -> None:
    """Bring the database's schema up to date."""


@command.command(epilog="Example: DATABASE_URL=postgresql://… tradewind db upgrade")
@click.option(
    "--database-url",
    metavar="URL",
    help="Which database; that of the platform running here (or DATABASE_URL) if not given.",
)
def upgrade(database_url: str | None) -> None:
    """Run the migrations that are missing and add the instruments of a new installation.

    Safe to repeat, and from several machines at once; what is stored stays as it is. `tradewind up` does it by itself.
    """
    url = database_url or platform_settings().database_url
    if not url:
        raise click.ClickException(
            "no database: start the platform with `tradewind up`, or set DATABASE_URL or --database-url"
        )
    try:
        prepare_database(url)
    except (
        OSError,
        asyncpg.PostgresError,
        sqlalchemy.exc.SQLAlchemyError,
        StoreUnavailable,
        ValueError,
    ) as error:
        reason = " ".join(str(error).split())
        raise click.ClickException(f"cannot bring the database up to date: {reason}") from error
    click.echo("the database is up to date")
