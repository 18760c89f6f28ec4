"""`tradewind user seed`: what a first `tradewind up` makes, for a platform that is started in another way."""

import asyncio
from pathlib import Path

import click

from tradewind.adapters.postgres.credentials import PostgresCredentialStore
from tradewind.adapters.postgres.engine import create_engine
from tradewind.cli.database import checked_database, explained
from tradewind.cli.platform_connection import MEND, platform_settings
from tradewind.entrypoints.up.seed import USER_EMAIL, SeededCredentials, seed_platform
from tradewind.ports.errors import OutsideFailure
from tradewind.services.gateway.errors import ApiError
from tradewind.settings import Settings


@click.command(epilog="Example: tradewind user seed --strategy-account-file /seed/strategy_account_id")
@click.option(
    "--strategy-account-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the id of the strategy's account here, for TRADEWIND_STRATEGY_ACCOUNT_ID_FILE.",
)
def seed(strategy_account_file: Path | None) -> None:
    """Make the first user with an account and an API key, and an account for the strategy; print them.

    For development. Where they were made before nothing is made, and no secret is shown again.
    """
    settings = platform_settings()
    if not (settings.database_url and settings.redis_host):
        raise click.ClickException(f"no running platform found: {MEND}")
    try:
        with explained(checked_database(settings.database_url, "DATABASE_URL")):
            made = seed_platform(settings)
            account_id = made.strategy_account_id if made else asyncio.run(_strategy_account(settings))
    except ApiError as error:
        raise click.ClickException(error.message) from error
    except OutsideFailure as error:
        raise click.ClickException(f"{error}; {MEND}") from error
    if strategy_account_file is not None:
        strategy_account_file.write_text(account_id)
    _show(made)


async def _strategy_account(settings: Settings) -> str:
    """That of an earlier seed: the second account of its user."""
    engine = create_engine(settings.database_url)
    try:
        store = PostgresCredentialStore(engine)
        user = await store.user_by_email(USER_EMAIL)
        accounts = await store.accounts_of(user.user_id) if user is not None else []
    finally:
        await engine.dispose()
    return accounts[1] if len(accounts) > 1 else ""


def _show(made: SeededCredentials | None) -> None:
    if made is None:
        click.echo(f"{USER_EMAIL} was made before; another key: tradewind key create --email {USER_EMAIL}")
        return
    click.echo(f"user     {made.user_email}")
    click.echo(f"password {made.user_password}")
    click.echo(f"account  {made.account_id}")
    click.echo("The password and the key's secret are shown this once. To use the key:")
    click.echo(f"  export APCA_API_KEY_ID={made.api_key_id}")
    click.echo(f"  export APCA_API_SECRET_KEY={made.api_key_secret}")
