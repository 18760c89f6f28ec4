"""`tradewind db upgrade`: the schema of this version, and the instruments."""

import click

from tradewind.cli.database import DATABASE_OPTION, chosen_database, explained
from tradewind.entrypoints.database import prepare_database


@click.group()
def command() -> None:
    """Bring the database's schema up to date."""


@command.command(epilog="Example: DATABASE_URL=postgresql://… tradewind db upgrade")
@DATABASE_OPTION
def upgrade(database_url: str | None) -> None:
    """Run the migrations that are missing and add the instruments of a new installation.

    Safe to repeat, and from several machines at once; what is stored stays as it is. `tradewind up` does it by itself.
    """
    database = chosen_database(database_url)
    with explained(database):
        prepare_database(database.url)
    click.echo("the database is up to date")
