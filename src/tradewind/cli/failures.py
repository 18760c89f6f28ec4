"""Failures of the outside as a command shows them."""

import click


class DatabaseFailure(click.ClickException):
    """The database that a command needs does not do its part; the message is one line and says the mend."""

    exit_code = 1
