"""The backup scripts at work: PostgreSQL with its WAL archived, backed up, and restored into empty servers."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from tests.servers import RunningServer, run_apart, running_postgres
from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.adapters.embedded.postgres import REACHABLE_PLACE, EmbeddedPostgres
from tradewind.adapters.embedded.postgres_installation import find_installation, runnable_installation
from tradewind.adapters.embedded.unprivileged import server_user

SCRIPTS = Path(__file__).parents[1] / "deploy" / "backup"
SCRIPT_TIMEOUT_S = 120
BINARIES_VARIABLE = "TEST_POSTGRES_BINARIES"
"""A folder of another PostgreSQL's client programs to run the scripts with."""


class Vault:
    """A folder of backups, and the scripts that a server's own user may run."""

    def __init__(self, folder: Path) -> None:
        self._user = server_user()
        self.folder = folder / "vault"
        self.scripts = folder / "scripts"
        shutil.copytree(SCRIPTS, self.scripts)
        self.folder.mkdir()
        self.give(self.folder)
        installation = runnable_installation(find_installation(), self._user, REACHABLE_PLACE)
        self._binaries = os.environ.get(BINARIES_VARIABLE, str(installation.binaries))

    def give(self, path: Path) -> None:
        """The server's user owns it."""
        if self._user is not None:
            os.chown(path, self._user.uid, self._user.gid)

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script as the server's user, with these variables and few others."""
        user = self._user
        return subprocess.run(
            [str(self.scripts / script), *arguments],
            cwd="/",
            env={
                "PATH": f"{self._binaries}:{os.environ['PATH']}",
                "BACKUP_DIR": str(self.folder),
                "HOME": "/",
            }
            | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SCRIPT_TIMEOUT_S,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
        )

    def backup(self, server: RunningServer, *arguments: str, **variables: str) -> str:
        """Run `backup` on a server; what it printed on standard output. `AssertionError` when it fails."""
        done = self.try_backup(server, *arguments, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def try_backup(
        self, server: RunningServer, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """The same, whatever comes of it."""
        return self.run("backup", *arguments, **(_reach(server) | variables))

    def newest(self) -> Path:
        """The newest backup."""
        return max(path for path in (self.folder / "full").iterdir() if path.name[0].isdigit())


def _reach(server: RunningServer) -> dict[str, str]:
    assert isinstance(server.server, EmbeddedPostgres)
    parts = urlsplit(server.server.database_url)
    return {
        "PGHOST": str(parts.hostname),
        "PGPORT": str(parts.port),
        "PGUSER": str(parts.username),
        "PGPASSWORD": str(parts.password),
        "PGDATABASE": parts.path[1:],
    }


@contextmanager
def archived_postgres(folder: Path, vault: Vault) -> Iterator[RunningServer]:
    """A server that archives its WAL to the vault, and notes when each transaction was committed."""
    with running_postgres(folder) as running:
        command = f"BACKUP_DIR={vault.folder} {vault.scripts}/archive-wal %p %f"
        run_apart(
            _execute(
                url_of(running),
                "ALTER SYSTEM SET archive_mode = on",
                f"ALTER SYSTEM SET archive_command = '{command}'",
                "ALTER SYSTEM SET track_commit_timestamp = on",
            )
        )
        running.stop()
        running.restart()
        yield running


@contextmanager
def restored_postgres(
    folder: Path, vault: Vault, original: RunningServer, *arguments: str
) -> Iterator[RunningServer]:
    """Another server on what `restore` makes of the vault; it has the original's password and archives to nowhere.

    Of use for rehearsals: say so in the arguments, or the archive knows of a second timeline.
    """
    data = DataDirectory(folder)
    data.create()
    assert isinstance(original.server, EmbeddedPostgres)
    shutil.copy(original.server._data.path / "secrets.json", data.path / "secrets.json")
    data.postgres.mkdir()
    vault.give(data.postgres)
    done = restore(vault, data.postgres / "data", *arguments)
    print(done.stderr)
    assert done.returncode == 0, done.stderr
    configuration = data.postgres / "data" / "postgresql.auto.conf"
    with configuration.open("a") as settings:
        settings.write("archive_mode = off\n")
    with running_postgres(folder) as running:
        yield running


def restore(vault: Vault, place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `restore` into a folder."""
    return vault.run("restore", *arguments, PGDATA=str(place))


def url_of(running: RunningServer) -> str:
    """URL of the platform's database."""
    assert isinstance(running.server, EmbeddedPostgres)
    return running.server.database_url


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
