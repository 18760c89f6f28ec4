"""The `tradewind` command: its table of subcommands, and how errors reach the user."""

import sys

import click

from tradewind.adapters.embedded.errors import EmbeddedServerError
from tradewind.cli.failures import DatabaseFailure
from tradewind.cli.lazy_group import LazyCommand, LazyGroup
from tradewind.entrypoints.up.errors import PlatformError
from tradewind.operations.logging import configure_command_logging
from tradewind.settings import SettingsError
from tradewind.version import __version__

USER_ERROR_STATUS = 2
INTERRUPTED_STATUS = 130

COMMANDS = {
    "up": LazyCommand("tradewind.cli.up", "Start the whole platform on this machine."),
    "top": LazyCommand("tradewind.cli.top", "Watch services, orders, positions and P&L live."),
    "order": LazyCommand("tradewind.cli.order", "Submit, list and cancel orders."),
    "data": LazyCommand("tradewind.cli.data", "Import and list historical market data."),
    "journal": LazyCommand("tradewind.cli.journal", "Verify the journal against the state tables."),
    "doctor": LazyCommand("tradewind.cli.doctor", "Check a deployment and say what is wrong, and the mend."),
    "user": LazyCommand("tradewind.cli.user", "Create users."),
    "key": LazyCommand("tradewind.cli.key", "Create API keys."),
    "db": LazyCommand("tradewind.cli.db", "Bring the schema up to date; accept a restored database."),
    "config": LazyCommand("tradewind.cli.config", "Write the reference of settings and commands."),
    "service": LazyCommand("tradewind.cli.service", "Run one of the five services in the foreground."),
}


@click.group(
    cls=LazyGroup,
    lazy_commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every setting is an environment variable: see docs/reference/configuration.md.",
)
@click.version_option(__version__, prog_name="tradewind")
def tradewind() -> None:
    """Tradewind, a self-hosted trading platform.

    \b
    Start here:
      tradewind up      start everything; it prints the addresses, a user and a line to try
      tradewind top     in another terminal, watch it trade

    `tradewind COMMAND --help` explains a command, with an example.
    """
    configure_command_logging()


def main() -> None:
    """Run the command; errors that a user can mend are one line on standard error and status 2, or 1 for a database that fails."""
    try:
        status = tradewind.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(USER_ERROR_STATUS)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx is not None else "tradewind"
        _fail(f"{error.format_message()} (see `{command} --help`)")
    except DatabaseFailure as error:
        _fail(error.format_message(), error.exit_code)
    except click.ClickException as error:
        _fail(error.format_message())
    except (SettingsError, EmbeddedServerError, PlatformError) as error:
        _fail(str(error))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED_STATUS)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str, status: int = USER_ERROR_STATUS) -> None:
    click.echo(f"error: {message}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
