"""`tradewind key create`: an API key for a user's account."""

import click
import msgspec

from tradewind.adapters.auth.api_keys import RandomSecretSource
from tradewind.cli.platform_connection import PlatformConnection, run_on_platform
from tradewind.services.gateway.auth.registration import create_api_key, normal_email


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """What was made; the secret is shown this once."""

    key_id: str
    secret: str
    account_id: str


@click.group()
def command() -> None:
    """Create API keys."""


@command.command(epilog="Example: tradewind key create --email ada@example.com")
@click.option("--email", required=True, help="The user whose key it is.")
@click.option("--account", help="Which of the user's accounts. Default: the oldest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(email: str, account: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Create an API key. Its secret is shown this once."""

    async def work(platform: PlatformConnection) -> NewKey:
        return await _create(platform, normal_email(email), account)

    made = run_on_platform(work)
    if as_json:
        click.echo(msgspec.json.encode(made).decode())
        return
    click.echo(f"account  {made.account_id}")
    click.echo("The secret is shown this once. To use the key:")
    click.echo(f"  export APCA_API_KEY_ID={made.key_id}")
    click.echo(f"  export APCA_API_SECRET_KEY={made.secret}")


async def _create(platform: PlatformConnection, email: str, account_id: str | None) -> NewKey:
    user = await platform.credentials.user_by_email(email)
    if user is None:
        raise click.ClickException(
            f"no user {email}: create one with `tradewind user create --email {email}`"
        )
    account_ids = await platform.credentials.accounts_of(user.user_id)
    if not account_ids:
        raise click.ClickException(f"{email} has no account")
    chosen = account_id or account_ids[0]
    if chosen not in account_ids:
        raise click.ClickException(f"{email} has no account {chosen}; there are: {', '.join(account_ids)}")
    pair = await create_api_key(
        platform.credentials, RandomSecretSource(), platform.clock, user.user_id, chosen
    )
    return NewKey(key_id=pair.key_id, secret=pair.secret, account_id=chosen)
