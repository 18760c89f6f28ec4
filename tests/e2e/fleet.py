"""Replicas of the services without a supervisor, each of which can be replaced by another version of the product."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec

import tradewind
from tests.e2e.platform import HOST, POLL_INTERVAL_S, clean_environment, is_ready, service_process
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.postgres.schema import known_revisions
from tradewind.entrypoints.up.public_ports import PORT_SETTING_OF_SERVICE
from tradewind.settings import Settings, to_environment
from tradewind.version import __version__

READY_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 15.0
COMMAND_TIMEOUT_S = 60.0
NEXT_VERSION = "9.9.9"
NEXT_REVISION = "9999"

# As an expanding migration is written: the code before it neither knows nor fills the column.
_MIGRATION = f'''
"""A column that the next version uses; the version before goes on without it."""

from alembic import op

revision = "{NEXT_REVISION}"
down_revision = "{known_revisions()[-1]}"
compatible_from = "{known_revisions()[-1]}"


def upgrade() -> None:
    """Add the column and its index."""
    op.execute("ALTER TABLE orders ADD COLUMN desk text NOT NULL DEFAULT 'main'")
    op.execute("CREATE INDEX orders_desk ON orders (desk, submitted_at_ns)")
'''


def make_next_version(folder: Path) -> Path:
    """A copy of the product that calls itself `NEXT_VERSION` and has a migration more; what PYTHONPATH needs for it."""
    package = folder / "tradewind"
    shutil.copytree(Path(tradewind.__file__).parent, package)
    version = package / "version.py"
    version.write_text(version.read_text().replace(__version__, NEXT_VERSION))
    (package / f"adapters/postgres/migrations/versions/{NEXT_REVISION}_desks.py").write_text(_MIGRATION)
    return folder


@dataclass
class Replica:
    """One process of a service at its port; `code` is the PYTHONPATH of its version, None for the present one."""

    service: str
    settings: Settings
    log: Path
    code: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def port(self) -> int:
        """Where it serves HTTP."""
        port: int = getattr(self.settings, PORT_SETTING_OF_SERVICE[self.service])
        return port

    def start(self, code: Path | None = None) -> None:
        """Start it with that version, and wait until it is ready."""
        self.code = code
        variables = {} if code is None else {"PYTHONPATH": str(code)}
        self.process = service_process(self.service, self.settings, self.log, variables)
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        with httpx.Client(trust_env=False, timeout=5) as client:
            while not is_ready(client, f"http://{HOST}:{self.port}"):
                status = self.process.poll()
                assert status is None, f"{self.service} ended with {status}:\n{self.log.read_text()}"
                assert time.monotonic() < deadline_s, (
                    f"{self.service} is not ready:\n{self.log.read_text()[-3000:]}"
                )
                time.sleep(POLL_INTERVAL_S)

    def stop(self) -> None:
        """As an orchestrator does: SIGTERM, and wait."""
        assert self.process is not None
        self.process.terminate()
        assert self.process.wait(STOP_TIMEOUT_S) == 0

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def version(self) -> str:
        """What it says it is."""
        answer = httpx.get(f"http://{HOST}:{self.port}/version", trust_env=False)
        return str(answer.json()["version"])


@dataclass
class Fleet:
    """Replicas on one database and one Redis, as a verdict asks them: over the first gateway."""

    settings: Settings
    replicas: list[Replica]

    def of(self, service: str) -> list[Replica]:
        """The replicas of a service."""
        return [replica for replica in self.replicas if replica.service == service]

    def url(self, service: str = "api-gateway") -> str:
        """Base URL of the first replica."""
        return f"http://{HOST}:{self.of(service)[0].port}"

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(
            f"-- {replica.log.name}\n{replica.log.read_text(errors='replace')[-2000:]}"
            for replica in self.replicas
        )

    def command(self, *arguments: str, code: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A `tradewind` command of a version."""
        variables = {} if code is None else {"PYTHONPATH": str(code)}
        return subprocess.run(
            [sys.executable, "-m", "tradewind.cli.main", *arguments],
            env=clean_environment() | to_environment(self.settings) | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_TIMEOUT_S,
        )


@contextmanager
def running_fleet(settings: Settings, services: list[str], folder: Path) -> Iterator[Fleet]:
    """These services, all ready; the same name twice is two replicas. The database has its schema."""
    taken: set[int] = set()
    replicas: list[Replica] = []
    for number, service in enumerate(services):
        port = free_loopback_port(frozenset(taken))
        taken.add(port)
        own = msgspec.structs.replace(settings, **{PORT_SETTING_OF_SERVICE[service]: port})
        replicas.append(Replica(service, own, folder / f"{number}-{service}.log"))
    try:
        for replica in replicas:
            replica.start()
        yield Fleet(settings, replicas)
    finally:
        for replica in replicas:
            replica.kill()


async def replace_one_by_one(fleet: Fleet, code: Path, pause_s: float) -> None:
    """A rolling upgrade: each replica leaves and comes back as another version before the next one leaves."""
    for replica in fleet.replicas:
        await asyncio.to_thread(replica.stop)
        await asyncio.to_thread(replica.start, code)
        await asyncio.sleep(pause_s)
