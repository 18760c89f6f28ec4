"""The production stack's backups: made on schedule, checked, and restored into an empty stack up to a mark."""

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
IMAGE = "trading-platform/api-gateway:latest"
BACKUP, INFLUXDB = "/opt/tradewind/backup/backup", "/opt/tradewind/backup/influxdb"
INFLUXDB_PASSWORD = "influxdb-password"
FIRST_BACKUP_TIMEOUT_S = 60.0
POLL_S = 1.0


def has_images() -> bool:
    if shutil.which("docker") is None:
        return False
    return (
        subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode
        == 0
    )


pytestmark = pytest.mark.skipif(not has_images(), reason="needs docker and the images: run ./build-images.sh")


class Stack:
    """The stack under a name of its own; nothing of it is published."""

    def __init__(self) -> None:
        self.name = f"tradewind-backup-{uuid.uuid4().hex[:8]}"
        self._environment = os.environ | {
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_FILE": str(CHECKOUT / "docker-compose.prod.yml"),
            "POSTGRES_PASSWORD": "postgres-password",
            "REDIS_PASSWORD": "redis-password",
            "INFLUXDB_TOKEN": "0123456789abcdef",
            "INFLUXDB_ADMIN_PASSWORD": INFLUXDB_PASSWORD,
            "JWT_SECRET_KEY": "0123456789abcdef0123456789abcdef",
            "GRAFANA_ADMIN_PASSWORD": "grafana-password",
            "WAL_ARCHIVE": "on",
        }

    def try_compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "compose", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def compose(self, *arguments: str) -> str:
        done = self.try_compose(*arguments)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def tradewind(self, *arguments: str) -> str:
        return self.compose("run", "--rm", "-T", "migrate", *arguments)

    def backup(self, *arguments: str) -> str:
        return self.compose("exec", "-T", "backup", BACKUP, *arguments)

    def influxdb(self, *arguments: str) -> str:
        return self.compose("exec", "-T", "backup-influxdb", INFLUXDB, *arguments)

    def emails(self) -> str:
        query = "SELECT string_agg(email, ', ' ORDER BY email) FROM users"
        return self.compose("exec", "-T", "postgres", "psql", "-U", "tradewind", "-Atc", query).strip()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    made = Stack()
    try:
        made.compose(
            "up",
            "-d",
            "postgres",
            "redis",
            "influxdb",
            "migrate",
            "order-service",
            "backup",
            "backup-influxdb",
        )
        yield made
    finally:
        made.try_compose(
            "--profile", "backup", "--profile", "restore", "down", "--volumes", "--timeout", "10"
        )


def test_the_first_backup_is_made_and_checked_at_once(stack: Stack) -> None:
    deadline_s = time.monotonic() + FIRST_BACKUP_TIMEOUT_S
    while "is whole" not in stack.compose("logs", "backup"):
        assert time.monotonic() < deadline_s, stack.compose("logs", "backup", "postgres")
        time.sleep(POLL_S)
    assert "pg_verifybackup does not run" not in stack.compose("logs", "backup")
    assert "full backups:" in stack.backup("status")


def test_a_stack_is_restored_to_a_mark(stack: Stack) -> None:
    stack.tradewind("user", "create", "--email", "before@example.com")
    stack.backup("mark", "before-import")
    stack.tradewind("user", "create", "--email", "after@example.com")
    stack.backup("mark", "end")
    refused = stack.try_compose("run", "--rm", "-T", "restore")
    assert "nothing is restored over data" in refused.stderr

    stack.compose("--profile", "backup", "down", "--timeout", "20")
    subprocess.run(["docker", "volume", "rm", f"{stack.name}_postgres"], check=True, capture_output=True)
    stack.compose("run", "--rm", "-T", "restore", "--to-mark", "before-import")

    stack.compose("up", "-d", "--wait", "postgres", "redis")
    early = stack.try_compose("run", "--rm", "-T", "--no-deps", "order-service")
    assert early.returncode == 2
    assert "run `tradewind db restored` before any service starts" in early.stderr
    assert "services may start" in stack.tradewind("db", "restored")
    assert "the journal and the stored state agree" in stack.tradewind("journal", "verify")
    assert stack.emails() == "before@example.com"

    stack.compose("up", "-d", "order-service", "backup", "backup-influxdb")
    stack.tradewind("user", "create", "--email", "later@example.com")
    stack.backup("full")
    stack.backup("verify")
    assert stack.emails() == "before@example.com, later@example.com"


def test_market_data_is_backed_up_and_restored(stack: Stack) -> None:
    def ask(*arguments: str) -> str:
        base = f"http://admin:{INFLUXDB_PASSWORD}@127.0.0.1:8086"
        return stack.compose("exec", "-T", "influxdb", "curl", "-sS", f"{base}{arguments[0]}", *arguments[1:])

    if "v1." not in stack.compose("exec", "-T", "backup-influxdb", "influxd", "version"):
        pytest.skip("this image is not InfluxDB 1.x")
    ask("/write?db=market-data", "--data-binary", "bars,symbol=AAPL close=228 1000")
    stack.influxdb("backup")
    stack.influxdb("verify")
    ask("/query", "--data-urlencode", 'q=DROP DATABASE "market-data"')
    stack.influxdb("restore")
    assert "228" in ask("/query?db=market-data", "--data-urlencode", "q=SELECT close FROM bars")
