"""`tradewind user create`: a user with a funded account."""

import secrets
from decimal import Decimal

import click
import msgspec

from tradewind.adapters.auth.passwords import Argon2PasswordHasher
from tradewind.cli.parameters import POSITIVE_AMOUNT
from tradewind.cli.platform_connection import PlatformConnection, run_on_platform
from tradewind.cli.seed import seed
from tradewind.ports.credentials import EmailTaken
from tradewind.services.gateway.account.opening import AccountOpening
from tradewind.services.gateway.auth.registration import (
    MIN_PASSWORD_LENGTH,
    NotAcceptable,
    normal_email,
    register_user,
    require_acceptable,
)

GENERATED_PASSWORD_BYTES = 15


class NewUser(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was made. `password` is there only when it was generated: it is shown this once."""

    user_id: str
    email: str
    account_id: str
    password: str | None = None


@click.group()
def command() -> None:
    """Create users."""


command.add_command(seed)


@command.command(epilog="Example: tradewind user create --email ada@example.com --deposit 50000")
@click.option("--email", required=True, help="E-mail address to log in with.")
@click.option(
    "--password", help=f"At least {MIN_PASSWORD_LENGTH} characters. Without it one is generated and shown."
)
@click.option("--ask-password", is_flag=True, help="Ask for the password instead.")
@click.option(
    "--deposit", type=POSITIVE_AMOUNT, default="100000", show_default=True, help="Opening balance, dollars."
)
@click.option(
    "--multiplier",
    type=click.Choice(["1", "2"]),
    default="2",
    show_default=True,
    help="1: cash account. 2: margin account that may sell short.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(
    email: str,
    password: str | None,
    ask_password: bool,  # noqa: FBT001 -- click passes options by name
    deposit: Decimal,
    multiplier: str,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Create a user with an account to trade on."""
    if ask_password:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    chosen = password or secrets.token_urlsafe(GENERATED_PASSWORD_BYTES)

    async def work(platform: PlatformConnection) -> NewUser:
        return await _create(platform, email, chosen, deposit, Decimal(multiplier))

    try:
        made = run_on_platform(work)
    except (NotAcceptable, EmailTaken) as error:
        raise click.ClickException(str(error)) from error
    shown = made if password else msgspec.structs.replace(made, password=chosen)
    if as_json:
        click.echo(msgspec.json.encode(shown).decode())
        return
    click.echo(f"user     {shown.email} ({shown.user_id})")
    click.echo(f"account  {shown.account_id} with {deposit} USD")
    if shown.password:
        click.echo(f"password {shown.password} (shown this once)")
    click.echo(f"next     tradewind key create --email {shown.email}")


async def _create(
    platform: PlatformConnection, email: str, password: str, deposit: Decimal, multiplier: Decimal
) -> NewUser:
    require_acceptable(email, password)
    if await platform.credentials.user_by_email(normal_email(email)) is not None:
        raise EmailTaken(f"there is a user with the e-mail address {normal_email(email)}")
    # The account comes first, so that a failure leaves no user who cannot trade and cannot be created again.
    account_id = await AccountOpening(platform.sender, platform.queries).open(deposit, multiplier)
    user_id = await register_user(
        platform.credentials, Argon2PasswordHasher(), platform.ids, platform.clock, email, password
    )
    await platform.credentials.add_account(user_id, account_id)
    return NewUser(user_id=user_id, email=normal_email(email), account_id=account_id)
