"""A process that keeps both private servers of a data directory running, as `tradewind up` does, until it is killed."""

import asyncio
import sys
from pathlib import Path

from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.entrypoints.supervisor.console import Console, TextRenderer
from tradewind.entrypoints.supervisor.supervisor import Supervisor
from tradewind.entrypoints.up.backing_servers import private_servers, server_spec
from tradewind.settings import Settings


async def run(data: DataDirectory) -> None:
    """Start both, say their process ids and ports on one line, and wait for ever."""
    supervisor = Supervisor(Console(TextRenderer(), sys.stderr), on_change=lambda pids: None)
    servers = private_servers(Settings(), data)
    for server in servers:
        server.prepare()
        await supervisor.start_stage([server_spec(server)])
    pids = supervisor.pids()
    print(*(f"{pids[server.name]}:{server.port}" for server in servers), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    folder = DataDirectory(Path(sys.argv[1]))
    with folder.locked():
        asyncio.run(run(folder))
