"""`tradewind top`: services, orders a second, positions and P&L, live in the terminal."""

import asyncio
from pathlib import Path

import click
import httpx
import msgspec
from rich.console import Console
from rich.live import Live

from tradewind.cli.top_access import KEY_HINT, Access, access_for
from tradewind.cli.top_readings import REQUEST_TIMEOUT_S, Reader, Reading, ServiceAddress
from tradewind.cli.top_view import frame
from tradewind.entrypoints.up.public_ports import PORT_SETTING_OF_SERVICE, reachable_host
from tradewind.entrypoints.up.run_file import running_platform, with_running_platform
from tradewind.settings import Settings

INTERVAL_S = 1.0
"""Time between two frames, and between the two looks that a rate needs."""

START_HINT = (
    "Nothing answers. Start the platform with `tradewind up`, or name its data directory with --data-dir."
)
GATEWAY = "api-gateway"


@click.command(epilog="Example: tradewind top")
@click.option("--once", is_flag=True, help="Print one frame and exit.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="The platform's data directory; .tradewind if not given.",
)
@click.option("--key-id", envvar="APCA_API_KEY_ID", metavar="ID", help="API key whose account to show.")
@click.option("--secret-key", envvar="APCA_API_SECRET_KEY", metavar="SECRET", help="The API key's secret.")
def command(
    once: bool,  # noqa: FBT001 -- click passes options by name
    data_dir: Path | None,
    key_id: str | None,
    secret_key: str | None,
) -> None:
    """Watch services, orders a second, positions and P&L live. Ctrl-C ends it.

    Finds the platform that `tradewind up` runs on this machine, else asks the ports of the settings. Shows
    the account of the API key in APCA_API_KEY_ID and APCA_API_SECRET_KEY; without one the accounts that the
    first start made.
    """
    if bool(key_id) != bool(secret_key):
        raise click.UsageError("an API key needs both --key-id and --secret-key")
    settings = Settings.from_environment()
    if data_dir is not None:
        settings = msgspec.structs.replace(settings, data_dir=data_dir)
    running = running_platform(settings.data_dir)
    access = access_for(key_id, secret_key, settings.data_dir, running)
    show = _show_once if once else _show_live
    asyncio.run(show(with_running_platform(settings), access))


def service_addresses(settings: Settings) -> list[ServiceAddress]:
    """Where each service answers, the gateway first."""
    host = reachable_host(settings.bind_host)
    shown_host = f"[{host}]" if ":" in host else host
    return [
        ServiceAddress(name, f"http://{shown_host}:{getattr(settings, field)}")
        for name, field in PORT_SETTING_OF_SERVICE.items()
    ]


def hint_for(reading: Reading) -> str | None:
    """How to see more than the reading shows; None when it shows all."""
    if all(service.problem for service in reading.services):
        return START_HINT
    return None if reading.accounts else KEY_HINT


async def _show_once(settings: Settings, access: Access) -> None:
    async with _client() as client:
        reader = _reader(client, settings)
        before = await reader.read(())
        await asyncio.sleep(INTERVAL_S)
        now = await reader.read(await access.accounts())
    Console().print(frame(before, now, hint_for(now)))


async def _show_live(settings: Settings, access: Access) -> None:
    async with _client() as client:
        reader = _reader(client, settings)
        before: Reading | None = None
        with Live(console=Console(), screen=True, auto_refresh=False) as live:
            while True:
                now = await reader.read(await access.accounts())
                live.update(frame(before, now, hint_for(now)), refresh=True)
                before = now
                await asyncio.sleep(INTERVAL_S)


def _client() -> httpx.AsyncClient:
    # Not through a proxy that the environment may name: the services are here.
    return httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S, trust_env=False)


def _reader(client: httpx.AsyncClient, settings: Settings) -> Reader:
    addresses = service_addresses(settings)
    gateway = next(address for address in addresses if address.name == GATEWAY)
    return Reader(client, addresses, gateway.url)
