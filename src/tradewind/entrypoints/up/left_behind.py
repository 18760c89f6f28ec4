"""Stops the services that a killed `tradewind up` left behind, so that they do not keep their ports.

On Linux the kernel has told them to stop when their parent died; they may still be draining. Elsewhere nobody has.
The private servers look after themselves: see `prepare` in `tradewind.adapters.embedded`.
"""

import signal
import time
from collections.abc import Callable
from pathlib import Path

from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.adapters.embedded.ports import is_free
from tradewind.adapters.embedded.processes import (
    command_line,
    environment_of,
    folder_of,
    stop_process,
)
from tradewind.entrypoints.up.errors import PlatformError
from tradewind.entrypoints.up.public_ports import PORT_SETTING_OF_SERVICE
from tradewind.entrypoints.up.run_file import RunningPlatform, left_over
from tradewind.entrypoints.up.service_specs import service_arguments
from tradewind.settings import described_settings

SERVICE_STOP = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 2.0))
PORTS_FREE_TIMEOUT_S = 2.0
PORTS_FREE_INTERVAL_S = 0.02


def stop_services_left_behind(data: DataDirectory, say: Callable[[str], None]) -> None:
    """Stop them and wait; blocks; raises `PlatformError` when one cannot be stopped."""
    found = left_over(data)
    if found is None:
        return
    for name in PORT_SETTING_OF_SERVICE:
        pid = found.pids.get(name)
        if pid is None or not _is_ours(name, pid, data):
            continue
        say(f"stopping {name} (process {pid}), which the last `tradewind up` left behind")
        if not stop_process(pid, SERVICE_STOP):
            raise PlatformError(f"{name} (process {pid}) of an earlier start does not stop: end it by hand")
    _wait_for_ports(found)
    data.run_file.unlink(missing_ok=True)


def _is_ours(name: str, pid: int, data: DataDirectory) -> bool:
    """Whether the process is still the service: its number may belong to another by now, be it the same service of
    another data directory, which has the same command line."""
    if command_line(pid) != " ".join(service_arguments(name)):
        return False
    environment = environment_of(pid)
    if environment is None:
        return True
    variable = described_settings()["data_dir"][1].name
    used = environment.get(variable)
    # A relative path is meant from the folder that the service was started in.
    started_in = folder_of(pid) or Path()
    return used is not None and (started_in / used).resolve() == data.path.resolve()


def _wait_for_ports(found: RunningPlatform) -> None:
    """A process that ends loses its command line some milliseconds before the kernel closes its sockets.

    A port that stays taken is another program's: whoever claims it next says so.
    """
    deadline_s = time.monotonic() + PORTS_FREE_TIMEOUT_S
    for port in found.ports.values():
        while not is_free(found.bind_host, port) and time.monotonic() < deadline_s:
            time.sleep(PORTS_FREE_INTERVAL_S)
