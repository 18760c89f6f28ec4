"""The private PostgreSQL of one data directory: made at the first start, then run as a supervised child.

As root, PostgreSQL runs as another user, and its data must lie where that user can go. When the data directory does
not, the data goes to a folder of its own below `/var/lib/tradewind`, and `postgres` in the data directory links to it.
"""

import asyncio
import os
import shutil
import signal
import tempfile
from pathlib import Path

import asyncpg

from tradewind.adapters.embedded.data_directory import OWNER_ONLY_FOLDER, DataDirectory
from tradewind.adapters.embedded.errors import ServerNotPreparedError
from tradewind.adapters.embedded.ports import LOOPBACK
from tradewind.adapters.embedded.postgres_installation import (
    PostgresInstallation,
    find_installation,
    make_reachable_place,
    runnable_installation,
)
from tradewind.adapters.embedded.processes import command_line, read_pid, stop_process
from tradewind.adapters.embedded.unprivileged import ServerUser, can_enter, owner_of, run_as, server_user

REACHABLE_PLACE = Path("/var/lib/tradewind")
USER = "tradewind"
DATABASE = "tradewind"
READY_TIMEOUT_S = 2.0
INITDB_TIMEOUT_S = 120.0
REASON_LENGTH_MAX = 500
# Fast shutdown, then immediate shutdown (the journal repairs it at the next start), then no choice.
STALE_STOP = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 2.0))
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_checkpoints": "off",
    "log_line_prefix": "",
    # Nothing here subscribes to another server, and the launcher that would looks like a failure whenever it stops.
    "max_logical_replication_workers": "0",
}
# In its pid file the server says on this line (from 0) that it lets clients in; `pg_ctl` waits for the same words.
STATUS_LINE = 7
READY_STATUS = "ready"
# What it says to each client that comes too early after a crash: the client says so itself, and tries again.
UNSHOWN_TEXTS = (
    "FATAL:  the database system is starting up",
    "FATAL:  the database system is in recovery mode",
)


class EmbeddedPostgres:
    """One private PostgreSQL on a port of the loopback address; call `prepare` before every start."""

    name = "postgres"
    unshown_texts = UNSHOWN_TEXTS
    stop_signal = signal.SIGINT  # fast shutdown: sessions are cut, everything committed is on disk

    def __init__(
        self,
        data: DataDirectory,
        port: int,
        *,
        original: PostgresInstallation | None = None,
        reachable_place: Path = REACHABLE_PLACE,
    ) -> None:
        self._data = data
        self.port = port
        self._original = original
        """None: the one in the wheel."""
        self._reachable_place = reachable_place
        self._installation: PostgresInstallation | None = None
        self.user: ServerUser | None = None

    @property
    def database_url(self) -> str:
        """`postgresql://…` of the platform's database, with its password."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """`postgresql://…` of any database of this server, with its password."""
        password = self._data.secrets().postgres_password
        return f"postgresql://{USER}:{password}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Stop a server that was left behind, make what is not there yet; blocks; raises `EmbeddedServerError`."""
        self._data.create()
        self._data.secrets()
        if self._cluster.exists():
            self._adopt()
            return
        self.user = server_user()
        self._installation = self._find()
        self._make_folder()
        self._make_cluster()

    def command(self) -> list[str]:
        """The server in the foreground; its parent's death stops it (see `die_with_parent`)."""
        assert self._installation is not None, "prepare() comes first"
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        cluster = str(self._cluster.resolve())
        return [str(self._installation.server), "-D", cluster, "-p", str(self.port), *options]

    async def is_ready(self) -> bool:
        """Whether it answers a query now."""
        if not self._says_it_is_ready():  # asked any earlier, it logs a FATAL line
            return False
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                connection = await asyncpg.connect(self.database_url, timeout=READY_TIMEOUT_S)
                try:
                    await connection.fetchval("SELECT 1")
                finally:
                    connection.terminate()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    @property
    def _cluster(self) -> Path:
        return self._data.postgres / "data"

    def _says_it_is_ready(self) -> bool:
        try:
            lines = (self._cluster / "postmaster.pid").read_text(errors="replace").splitlines()
        except OSError:
            return False
        return len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == READY_STATUS

    def _adopt(self) -> None:
        # Data made by another user (the first start was not root's) stays that user's.
        self.user = owner_of(self._cluster) or server_user()
        if self._installation is None:
            self._installation = self._find()
        self._stop_stale_server()

    def _find(self) -> PostgresInstallation:
        return runnable_installation(self._original or find_installation(), self.user, self._reachable_place)

    def _stop_stale_server(self) -> None:
        pid_file = self._cluster / "postmaster.pid"
        pid = read_pid(pid_file)
        if pid is None:
            return
        running = command_line(pid)
        if not running:
            return  # PostgreSQL sees for itself that it is gone, and waits for the last of its children
        if f"-D {self._cluster.resolve()} " not in running:
            # The number belongs to another process by now, as often after a restart of a container; PostgreSQL
            # knows no better than to refuse.
            pid_file.unlink()
        elif not stop_process(pid, STALE_STOP):
            raise ServerNotPreparedError(
                f"PostgreSQL (process {pid}) of {self._data.path} does not stop: end it by hand"
            )

    def _make_folder(self) -> None:
        folder = self._data.postgres
        try:
            if not folder.exists() and self.user is not None and not can_enter(self.user, self._data.path):
                make_reachable_place(self._reachable_place)
                place = self._reachable_place / self._data.digest()
                place.mkdir(exist_ok=True)
                folder.unlink(missing_ok=True)  # a link to a place that is no more
                folder.symlink_to(place)
            folder.mkdir(exist_ok=True)
            folder.chmod(OWNER_ONLY_FOLDER)
            if self.user is not None:
                os.chown(folder, self.user.uid, self.user.gid)
        except OSError as error:
            raise ServerNotPreparedError(
                f"cannot make {folder}: {error.strerror}; choose another data directory with --data-dir, or set DATABASE_URL"
            ) from error

    def _make_cluster(self) -> None:
        # Made aside and renamed when complete, so that a start that is killed half-way leaves nothing that looks whole.
        folder = self._data.postgres.resolve()
        for leftover in folder.glob("making-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as name:
            making = Path(name)
            password_file = making / "password"
            password_file.write_text(self._data.secrets().postgres_password)
            password_file.chmod(0o600)
            if self.user is not None:
                os.chown(making, self.user.uid, self.user.gid)
                os.chown(password_file, self.user.uid, self.user.gid)
            cluster = making / "data"
            self._run(self._initdb(cluster, password_file), "")
            self._run(self._single_user(cluster), f"CREATE DATABASE {DATABASE}\n")
            cluster.rename(folder / "data")

    def _initdb(self, cluster: Path, password_file: Path) -> list[str]:
        assert self._installation is not None
        return [
            str(self._installation.initdb),
            f"--pgdata={cluster}",
            f"--username={USER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # PostgreSQL's own locale: the same order of texts on every machine.
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
        ]

    def _single_user(self, cluster: Path) -> list[str]:
        assert self._installation is not None
        return [str(self._installation.server), "--single", "-D", str(cluster), "postgres"]

    def _run(self, argv: list[str], standard_input: str) -> None:
        done = run_as(self.user, argv, standard_input=standard_input, timeout_s=INITDB_TIMEOUT_S)
        if done.returncode != 0:
            reason = " ".join((done.stderr or done.stdout).split())[-REASON_LENGTH_MAX:]
            raise ServerNotPreparedError(f"cannot make the database in {self._data.postgres}: {reason}")
