"""The database that a command works on, and what is wrong with it in one line: the setting to look at, and the mend."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import click
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from tradewind.adapters.postgres.engine import asyncpg_url
from tradewind.cli.failures import DatabaseFailure
from tradewind.entrypoints.up.run_file import with_running_platform
from tradewind.operations.logging import mask_url_passwords
from tradewind.ports.errors import StoreUnavailable
from tradewind.settings import Settings

REASON_LENGTH_MAX = 300
CAUSES_MAX = 10
"""How far down a chain of causes the server's own word is looked for."""

DATABASE_OPTION = click.option(
    "--database-url",
    metavar="URL",
    help="Which database; that of the platform running here (or DATABASE_URL) if not given.",
)

# By the beginning of the server's SQLSTATE.
_MENDS = {
    "28": "does not accept the user or the password: check both in {setting}",
    "3D000": "has no such database: check its name in {setting}, or create it",
    "3F": "lacks this version's schema: run `tradewind db upgrade`, and check {setting}",
    "42P01": "lacks this version's tables: run `tradewind db upgrade`, and check {setting}",
    "42703": "lacks this version's columns: run `tradewind db upgrade`, and check {setting}",
    "42501": "does not let its user do this: grant the right, or name another user in {setting}",
}
_UNREACHABLE = "cannot be reached: is it running? check {setting}, or start the platform with `tradewind up`"
_UNEXPECTED = "refuses what was asked: run `tradewind db upgrade`, and check {setting}"


@dataclass(frozen=True)
class ChosenDatabase:
    """Where it is, and the setting that says so."""

    url: str
    setting: str


def chosen_database(option: str | None) -> ChosenDatabase:
    """That of the option, else that of the settings, else the running platform's; an error when there is none."""
    if option:
        return checked_database(option, "--database-url")
    url = with_running_platform(Settings.from_environment()).database_url
    if not url:
        raise click.ClickException(
            "no database: start the platform with `tradewind up`, or set DATABASE_URL or --database-url"
        )
    return checked_database(url, "DATABASE_URL")


def checked_database(url: str, setting: str) -> ChosenDatabase:
    """The database of a URL; an error that names the setting when that is none of PostgreSQL's."""
    try:
        make_url(asyncpg_url(url))
    except (ValueError, ArgumentError) as error:
        # Its words may quote the password.
        raise click.ClickException(
            f"{setting} must be like postgresql://user:password@host:5432/name"
        ) from error
    return ChosenDatabase(url, setting)


@contextmanager
def explained(database: ChosenDatabase) -> Iterator[None]:
    """Whatever the database fails with inside is a `DatabaseFailure`."""
    try:
        yield
    except (
        StoreUnavailable,
        SQLAlchemyError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        OSError,
    ) as error:
        raise DatabaseFailure(_explanation(error, database)) from error


def _explanation(error: BaseException, database: ChosenDatabase) -> str:
    server = _word_of_the_server(error)
    state = getattr(server, "sqlstate", None) or ""
    mend = next((text for start, text in _MENDS.items() if state.startswith(start)), None)
    if mend is None:
        mend = _UNREACHABLE if isinstance(error, StoreUnavailable | OSError) else _UNEXPECTED
    place = urlsplit(database.url).netloc.rpartition("@")[2] or "its address"
    return f"the database at {place} {mend.format(setting=database.setting)} ({_one_line(server or error)})"


def _word_of_the_server(error: BaseException) -> asyncpg.PostgresError | None:
    """The error that PostgreSQL itself sent, which those of the layers above were made of."""
    cause: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if cause is None or isinstance(cause, asyncpg.PostgresError):
            return cause
        cause = cause.__cause__
    return None


def _one_line(error: BaseException) -> str:
    return mask_url_passwords(" ".join(str(error).split()))[:REASON_LENGTH_MAX] or type(error).__name__
