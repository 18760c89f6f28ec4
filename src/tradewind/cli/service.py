"""`tradewind service NAME`: one service in the foreground, as containers and `tradewind up` run it."""

import importlib

import click

from tradewind.entrypoints.schema_gate import SchemaRefused, require_usable_database
from tradewind.operations.logging import configure_logging
from tradewind.settings import Settings

SERVICES = ("api-gateway", "websocket-service", "strategy-service", "order-service", "analytics-service")


@click.command(epilog="Example: DATABASE_URL=… REDIS_HOST=… JWT_SECRET_KEY=… tradewind service order-service")
@click.argument("name", type=click.Choice(SERVICES), metavar="NAME")
def command(name: str) -> None:
    """Run one service in the foreground until SIGTERM.

    NAME is api-gateway, websocket-service, strategy-service, order-service or analytics-service. The service needs
    DATABASE_URL and REDIS_HOST (and the gateway JWT_SECRET_KEY); `tradewind up` sets them for you. It does
    not work on a schema that this version does not know.
    """
    settings = Settings.from_environment()
    if settings.database_url:
        configure_logging(name, settings.log_level)
        try:
            require_usable_database(settings.database_url)
        except SchemaRefused as error:
            raise click.ClickException(str(error)) from error
    # By name, so that a process imports its own service and none of the others.
    importlib.import_module(f"tradewind.entrypoints.{name.replace('-', '_')}").main(settings)
