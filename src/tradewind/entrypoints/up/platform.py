"""The composition root of `tradewind up`: servers, schema, seed, services, in that order, until told to stop."""

import asyncio
import os
import signal
import sys

import asyncpg
import msgspec
import sqlalchemy.exc

from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.adapters.postgres.migrate import SchemaTooNew
from tradewind.entrypoints.database import prepare_database
from tradewind.entrypoints.supervisor.console import Console, console_on_standard_output
from tradewind.entrypoints.supervisor.errors import ProcessNotReadyError
from tradewind.entrypoints.supervisor.supervisor import SUPERVISOR_NAME, Supervisor
from tradewind.entrypoints.up.backing_servers import (
    PrivateServer,
    private_servers,
    reach_servers,
    server_spec,
    with_private_servers,
)
from tradewind.entrypoints.up.banner import print_banner
from tradewind.entrypoints.up.errors import PlatformError
from tradewind.entrypoints.up.left_behind import stop_services_left_behind
from tradewind.entrypoints.up.options import UpOptions
from tradewind.entrypoints.up.public_ports import PortClaims, reachable_host, with_free_ports
from tradewind.entrypoints.up.run_file import RunFile, describe
from tradewind.entrypoints.up.seed import SeededCredentials, seed_platform
from tradewind.entrypoints.up.seeded import SeededPlatform, recall, remember
from tradewind.entrypoints.up.service_specs import service_environment, service_spec
from tradewind.entrypoints.up.strategy_readiness import strategy_problem
from tradewind.entrypoints.up.strategy_setting import require_strategy
from tradewind.ports.errors import StoreUnavailable
from tradewind.settings import Settings

FIRST_SERVICE = "order-service"
OTHER_SERVICES = ("strategy-service", "api-gateway", "websocket-service", "analytics-service")
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_platform(settings: Settings, options: UpOptions) -> None:
    """Run the platform until SIGINT or SIGTERM; blocks.

    Raises `PlatformError` or `EmbeddedServerError`, whose messages are one line and say the mend.
    """
    require_strategy(settings, service_environment(settings, os.environ))
    data = DataDirectory(settings.data_dir)
    with data.locked(), PortClaims() as claims:
        console = console_on_standard_output(options.log_format, no_colour=os.environ.get("NO_COLOR", ""))
        stop_services_left_behind(data, lambda line: console.show(SUPERVISOR_NAME, line))
        settings = with_free_ports(settings, options.explicit_settings, claims)
        if not settings.jwt_secret_key:
            settings = msgspec.structs.replace(settings, jwt_secret_key=data.secrets().jwt_secret_key)
        servers = private_servers(settings, data)
        platform = Platform(with_private_servers(settings, servers), options, data, console)
        asyncio.run(platform.run(list(servers)))


class Platform:
    """One run of the platform; `settings` name its servers and ports."""

    def __init__(self, settings: Settings, options: UpOptions, data: DataDirectory, console: Console) -> None:
        self._settings = settings
        self._options = options
        self._data = data
        self._run_file = RunFile(data.run_file, describe(settings), self._say)
        self._console = console
        self._supervisor = Supervisor(console, on_change=self._run_file.update_pids)
        self._stop = asyncio.Event()

    async def run(self, servers: list[PrivateServer]) -> None:
        """Start everything, wait for a signal, stop everything."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        starting = asyncio.create_task(self._start(servers))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()  # raises what went wrong
            await stopping
        except ProcessNotReadyError as error:
            raise PlatformError(str(error)) from error
        finally:
            starting.cancel()
            stopping.cancel()
            await asyncio.gather(starting, stopping, return_exceptions=True)
            await self._supervisor.stop()
            self._run_file.remove()
        self._say("stopped")

    async def _start(self, servers: list[PrivateServer]) -> None:
        for server in servers:
            self._say(f"starting {server.name}")
            await asyncio.to_thread(server.prepare)
            await self._supervisor.start_stage([server_spec(server)])
        await reach_servers(self._settings)
        self._say("bringing the database up to date")
        await self._migrate()
        self._say("starting the services")
        await self._supervisor.start_stage([service_spec(FIRST_SERVICE, self._settings)])
        fresh = await asyncio.to_thread(seed_platform, self._settings)
        seeded = self._remember(fresh)
        if seeded is not None and not self._settings.strategy_account_id:
            self._settings = msgspec.structs.replace(
                self._settings, strategy_account_id=seeded.strategy_account_id
            )
        await self._supervisor.start_stage([service_spec(name, self._settings) for name in OTHER_SERVICES])
        problem = await strategy_problem(
            reachable_host(self._settings.bind_host), self._settings.strategy_port
        )
        # Among JSON lines the banner would be the one thing that no program can read.
        stream = sys.stderr if self._options.log_format == "json" else sys.stdout
        print_banner(stream, self._settings, seeded, fresh, problem)
        # Last: who waits for the run file to say so finds everything there, the banner's key too.
        self._run_file.mark_ready()

    async def _migrate(self) -> None:
        try:
            await asyncio.to_thread(prepare_database, self._settings.database_url)
        except SchemaTooNew as error:
            raise PlatformError(str(error)) from error
        except (OSError, asyncpg.PostgresError, sqlalchemy.exc.SQLAlchemyError, StoreUnavailable) as error:
            reason = " ".join(str(error).split())
            raise PlatformError(
                f"cannot bring the database up to date ({reason}): its user needs the right to create tables"
            ) from error

    def _remember(self, fresh: SeededCredentials | None) -> SeededPlatform | None:
        if fresh is None:
            return recall(self._data.platform_file)
        return remember(self._data.platform_file, fresh)

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._say("killing everything")
            self._supervisor.kill()
            return
        self._say("stopping; again to kill everything")
        self._stop.set()

    def _say(self, line: str) -> None:
        self._console.show(SUPERVISOR_NAME, line)
