"""Real servers for tests: the embedded ones, or those that DATABASE_URL and REDIS_HOST name."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import asyncpg
import redis

from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.embedded.postgres import EmbeddedPostgres
from tradewind.adapters.embedded.processes import die_with_parent
from tradewind.adapters.embedded.valkey import EmbeddedValkey
from tradewind.adapters.postgres import migrate

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
POLL_INTERVAL_S = 0.02

Result = TypeVar("Result")


class RedisAddress(NamedTuple):
    """Where a test reaches Redis or Valkey."""

    host: str
    port: int
    password: str

    @property
    def url(self) -> str:
        """The same as `redis://…`."""
        user = f":{self.password}@" if self.password else ""
        return f"redis://{user}{self.host}:{self.port}/0"

    @property
    def settings(self) -> dict[str, str]:
        """The variables that lead a platform to it."""
        return {"REDIS_HOST": self.host, "REDIS_PORT": str(self.port), "REDIS_PASSWORD": self.password}

    def client(self) -> redis.Redis:
        """A connection, to be closed by the caller."""
        return redis.Redis(host=self.host, port=self.port, password=self.password or None)

    def flush(self) -> None:
        """Delete everything in it, in all of its databases."""
        with self.client() as client:
            client.flushall()


class ServerInUse(Exception):
    """The Redis that the tests were given holds something: they would delete it."""


def run_apart(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end from a plain fixture, leaving the tests' own event loop alone."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


class RunningServer:
    """An embedded server as a child of the test."""

    def __init__(self, server: EmbeddedPostgres | EmbeddedValkey, log: Path) -> None:
        self.server = server
        self.log = log
        self.process = self._start()

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self.process.pid

    def _start(self) -> subprocess.Popen[bytes]:
        self.server.prepare()
        user = self.server.user
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                self.server.command(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(self.server.stop_signal),  # noqa: PLW1509 -- loads nothing, locks nothing
                start_new_session=True,
                user=None if user is None else user.uid,
                group=None if user is None else user.gid,
                extra_groups=None if user is None else [],
            )
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not run_apart(self.server.is_ready()):
            if process.poll() is not None or time.monotonic() > deadline_s:
                process.kill()
                process.wait()
                raise AssertionError(f"{self.server.name} did not start:\n{self.log.read_text()}")
            time.sleep(POLL_INTERVAL_S)
        return process

    def kill(self) -> None:
        """As a crash: SIGKILL."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)

    def restart(self) -> None:
        """Start it again on the same port with the same data."""
        self.process = self._start()

    def stop(self) -> None:
        """As `tradewind up` stops it."""
        if self.process.poll() is None:
            self.process.send_signal(self.server.stop_signal)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()


@contextmanager
def server_folder() -> Iterator[Path]:
    """A temporary folder that root's substitute may enter, unlike pytest's `tmp_path`."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_postgres(folder: Path) -> Iterator[RunningServer]:
    """An embedded PostgreSQL with its data below `folder`."""
    running = RunningServer(
        EmbeddedPostgres(DataDirectory(folder), free_loopback_port()), folder / "postgres.log"
    )
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def running_valkey(folder: Path) -> Iterator[RunningServer]:
    """An embedded Valkey with its data below `folder`."""
    running = RunningServer(
        EmbeddedValkey(DataDirectory(folder), free_loopback_port()), folder / "valkey.log"
    )
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def shared_postgres() -> Iterator[str]:
    """URL of the PostgreSQL that tests share: `DATABASE_URL` when set (its user may create databases), else embedded."""
    given = os.environ.get("DATABASE_URL", "")
    if given:
        yield given
        return
    with server_folder() as folder, running_postgres(folder) as running:
        assert isinstance(running.server, EmbeddedPostgres)
        yield running.server.database_url


@contextmanager
def given_redis() -> Iterator[RedisAddress | None]:
    """The Redis that `REDIS_HOST`, `REDIS_PORT` and `REDIS_PASSWORD` name, found empty and left empty; None without.

    Raises `ServerInUse` when it is not empty.
    """
    host = os.environ.get("REDIS_HOST", "")
    if not host:
        yield None
        return
    port, password = int(os.environ.get("REDIS_PORT", "6379")), os.environ.get("REDIS_PASSWORD", "")
    address = RedisAddress(host, port, password)
    with address.client() as client:
        held = sum(database["keys"] for database in client.info("keyspace").values())
    if held:
        raise ServerInUse(
            f"Redis at {host}:{port} is not empty (keys: {held}), and the tests delete all that is in it: "
            "name an empty one with REDIS_HOST and REDIS_PORT, or none"
        )
    try:
        yield address
    finally:
        address.flush()


@contextmanager
def embedded_redis() -> Iterator[RedisAddress]:
    """Address of an embedded Valkey."""
    with server_folder() as folder, running_valkey(folder) as running:
        assert isinstance(running.server, EmbeddedValkey)
        yield RedisAddress(running.server.host, running.server.port, running.server.password)


def with_database(url: str, database: str) -> str:
    """The URL of another database on the same server."""
    return urlsplit(url)._replace(path=f"/{database}").geturl()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def migrated_template(server_url: str) -> Iterator[str]:
    """Name of a database with all migrations applied and nothing in it, to copy."""
    name = f"tradewind_test_template_{uuid.uuid4().hex[:12]}"
    run_apart(_execute(server_url, f'CREATE DATABASE "{name}"'))
    try:
        with ThreadPoolExecutor(max_workers=1) as thread:  # it has an event loop of its own
            thread.submit(migrate.upgrade, with_database(server_url, name)).result()
        yield name
    finally:
        run_apart(_execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


@contextmanager
def platform_database() -> Iterator[dict[str, str]]:
    """The variable that leads a platform to a new, empty database on the PostgreSQL that `DATABASE_URL` names.

    None when it is not set: the platform starts its private one.
    """
    given = os.environ.get("DATABASE_URL", "")
    if not given:
        yield {}
        return
    with fresh_database(given, "template1") as url:
        yield {"DATABASE_URL": url}


@contextmanager
def fresh_database(server_url: str, template: str) -> Iterator[str]:
    """URL of a new copy of the template, dropped afterwards."""
    name = f"tradewind_test_{uuid.uuid4().hex[:12]}"
    run_apart(_execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    try:
        yield with_database(server_url, name)
    finally:
        run_apart(_execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
