"""A database that does not do its part: one line, the setting, the mend, and no traceback."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import click
import pytest
from click.testing import CliRunner

from tests import servers
from tradewind.cli import data, db, journal, key, user

AWAY = "postgresql://trader:open-sesame@127.0.0.1:1/tradewind"
COMMANDS: dict[str, tuple[click.Command, list[str]]] = {
    "data list": (data.command, ["list"]),
    "data import": (data.command, ["import", "{file}", "--symbol", "IBM", "--timeframe", "1Day"]),
    "user create": (user.command, ["create", "--email", "ada@example.com"]),
    "key create": (key.command, ["create", "--email", "ada@example.com"]),
    "journal verify": (journal.command, ["verify"]),
    "db upgrade": (db.command, ["upgrade"]),
}
UPGRADE = "db upgrade"


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """A database that nobody has migrated."""
    with servers.fresh_database(postgres_url, "template0") as url:
        yield url


@pytest.fixture
def desk(
    tmp_path: Path, redis_address: servers.RedisAddress, monkeypatch: pytest.MonkeyPatch
) -> "OperatorsDesk":
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ibm.csv").write_text("date,open,high,low,close\n2024-01-02,10,12,9,11\n")
    return OperatorsDesk(redis_address)


class OperatorsDesk:
    """Where somebody types commands; Redis is there, the database is the one of the test."""

    def __init__(self, redis: servers.RedisAddress) -> None:
        self._redis = {
            "REDIS_HOST": redis.host,
            "REDIS_PORT": str(redis.port),
            "REDIS_PASSWORD": redis.password,
        }

    def failure_of(self, name: str, database_url: str) -> str:
        """The one line that the command fails with."""
        command, arguments = COMMANDS[name]
        answer = CliRunner().invoke(
            command,
            [part.format(file="ibm.csv") for part in arguments],
            env=self._redis | {"DATABASE_URL": database_url},
        )
        assert answer.exit_code == 1
        assert answer.stdout == ""
        assert answer.stderr.startswith("Error: the database at ")
        assert answer.stderr.count("\n") == 1, answer.stderr
        assert "DATABASE_URL" in answer.stderr
        assert "open-sesame" not in answer.stderr
        return answer.stderr


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != UPGRADE])
def test_a_database_without_the_schema(name: str, desk: OperatorsDesk, empty_database: str) -> None:
    assert "run `tradewind db upgrade`" in desk.failure_of(name, empty_database)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_password(name: str, desk: OperatorsDesk, postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    url = parts._replace(netloc=f"nobody:open-sesame@{parts.netloc.rpartition('@')[2]}").geturl()
    if asyncio.run(lets_in(url)):
        pytest.skip("the PostgreSQL of DATABASE_URL lets everybody in")
    assert "does not accept the user or the password: check both in DATABASE_URL" in desk.failure_of(
        name, url
    )


async def lets_in(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url)
    except asyncpg.InvalidAuthorizationSpecificationError:
        return False
    await connection.close()
    return True


@pytest.mark.parametrize("name", COMMANDS)
def test_a_database_that_nobody_has_made(name: str, desk: OperatorsDesk, postgres_url: str) -> None:
    url = urlsplit(postgres_url)._replace(path="/elsewhere").geturl()
    assert "has no such database: check its name in DATABASE_URL" in desk.failure_of(name, url)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_server_that_is_down(name: str, desk: OperatorsDesk) -> None:
    assert "at 127.0.0.1:1 cannot be reached: is it running?" in desk.failure_of(name, AWAY)


@pytest.mark.parametrize(("arguments", "status"), [(["data", "list"], 1), (["journal", "verify"], 2)])
def test_the_exit_status_of_an_unreachable_database_is_not_that_of_books_that_differ(
    arguments: list[str], status: int, tmp_path: Path
) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "tradewind.cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=dict(os.environ) | {"DATABASE_URL": AWAY},
        timeout=30,
    )
    assert answer.returncode == status
    assert answer.stderr.startswith("error: the database at 127.0.0.1:1 cannot be reached")
