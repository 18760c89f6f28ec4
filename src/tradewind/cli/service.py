"""`tradewind service NAME`: one service in the foreground, as containers and `tradewind up` run it."""

import importlib

import click

from tradewind.settings import Settings

SERVICES = ("api-gateway", "websocket-service", "strategy-service", "order-service", "analytics-service")


@click.command(epilog="Example: DATABASE_URL=… REDIS_HOST=… JWT_SECRET_KEY=… tradewind service order-service")
@click.argument("name", type=click.Choice(SERVICES), metavar="NAME")
def command(name: str) -> None:
    """Run one service in the foreground until SIGTERM.

    NAME is api-gateway, websocket-service, strategy-service, order-service or analytics-service. The service needs
    DATABASE_URL and REDIS_HOST (and the gateway JWT_SECRET_KEY); `tradewind up` sets them for you.
    """
    settings = Settings.from_environment()
    # By name, so that a process imports its own service and none of the others.
    importlib.import_module(f"tradewind.entrypoints.{name.replace('-', '_')}").main(settings)
