"""The private PostgreSQL: for a normal user and for root, through crashes, and two at once."""

import os
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.integration.embedded.scenarios import as_user, ask_postgres
from tests.servers import RunningServer, run_apart, running_postgres, server_folder
from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.adapters.embedded.errors import ServerMissingError, ServerNotPreparedError
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.embedded.postgres import EmbeddedPostgres
from tradewind.adapters.embedded.postgres_installation import (
    PostgresInstallation,
    copy_installation,
    find_installation,
    runnable_installation,
)
from tradewind.adapters.embedded.processes import command_line
from tradewind.adapters.embedded.unprivileged import ServerUser, server_user

IS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with server_folder() as path:
        yield path


@pytest.fixture(scope="module")
def postgres(folder: Path) -> Iterator[RunningServer]:
    with running_postgres(folder / "shared") as running:
        yield running


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("password_encryption", "scram-sha-256"),
        ("max_connections", "200"),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
    ],
)
def test_it_is_durable_and_private(postgres: RunningServer, setting: str, value: str) -> None:
    assert ask_postgres(postgres, f"SHOW {setting}") == value


def test_a_wrong_password_is_refused(postgres: RunningServer) -> None:
    assert isinstance(postgres.server, EmbeddedPostgres)
    url = postgres.server.database_url.replace("tradewind:", "tradewind:x", 1)
    with pytest.raises(asyncpg.InvalidPasswordError):
        run_apart(asyncpg.connect(url))


def test_the_password_is_not_on_the_command_line(postgres: RunningServer) -> None:
    assert isinstance(postgres.server, EmbeddedPostgres)
    password = postgres.server.database_url.split(":")[2].split("@")[0]
    assert len(password) >= 32
    assert password not in command_line(postgres.pid)


def test_killed_it_comes_back_on_its_port_with_what_was_committed(postgres: RunningServer) -> None:
    ask_postgres(postgres, "CREATE TABLE fills AS SELECT 100 AS quantity")
    port = postgres.server.port
    postgres.kill()
    postgres.restart()
    assert postgres.server.port == port
    assert ask_postgres(postgres, "SELECT quantity FROM fills") == 100


def test_while_it_says_that_it_is_starting_nobody_knocks(postgres: RunningServer, folder: Path) -> None:
    """It logs a FATAL line for each who does: the first lines that a newcomer would see."""
    pid_file = folder / "shared/postgres/data/postmaster.pid"
    said = pid_file.read_text()
    pid_file.write_text(said.replace("ready", "starting"))
    assert not run_apart(postgres.server.is_ready())
    pid_file.write_text(said)
    assert run_apart(postgres.server.is_ready())


def test_a_pid_file_that_names_another_process_does_not_stop_that_process(
    postgres: RunningServer, folder: Path
) -> None:
    postgres.kill()
    pid_file = folder / "shared/postgres/data/postmaster.pid"
    pid_file.write_text("\n".join([str(os.getppid()), *pid_file.read_text().splitlines()[1:]]))
    postgres.restart()
    assert ask_postgres(postgres, "SELECT 1") == 1
    assert command_line(os.getppid())


def test_a_server_left_behind_is_found_and_stopped(postgres: RunningServer, folder: Path) -> None:
    ask_postgres(postgres, "CREATE TABLE orders AS SELECT 7 AS id")
    with running_postgres(folder / "shared") as successor:
        assert postgres.process.wait(1) == 0
        assert ask_postgres(successor, "SELECT id FROM orders") == 7
    postgres.restart()


def test_two_at_once_though_a_first_start_of_one_was_killed_half_way(
    postgres: RunningServer, folder: Path
) -> None:
    data = DataDirectory(folder / "second")
    data.create()
    data.secrets()
    (data.postgres / "making-abc/data").mkdir(parents=True)
    (data.postgres / "making-abc/data/PG_VERSION").write_text("18\n")
    with running_postgres(data.path) as second:
        assert second.server.port != postgres.server.port
        assert ask_postgres(second, "SELECT current_database()") == "tradewind"
        assert ask_postgres(postgres, "SELECT current_database()") == "tradewind"
    assert [path.name for path in data.postgres.iterdir()] == ["data"]


@pytest.mark.skipif(not IS_ROOT, reason="as a normal user every other test here is this one")
def test_root_may_be_a_normal_user_too(postgres: RunningServer, folder: Path) -> None:
    nobody = server_user()
    assert nobody is not None
    assert ask_postgres(postgres, "SELECT 1") == 1  # loads all that the child will need, which it cannot
    binaries = copy_installation(find_installation(), folder / "binaries")
    own_folder = folder / "own"
    own_folder.mkdir()
    os.chown(own_folder, nobody.uid, nobody.gid)

    def scenario() -> None:
        server = EmbeddedPostgres(DataDirectory(own_folder / "data"), free_loopback_port(), original=binaries)
        running = RunningServer(server, own_folder / "log")
        try:
            assert server.user is None
            assert ask_postgres(running, "SELECT 1") == 1
        finally:
            running.stop()

    as_user(nobody, scenario)
    assert (own_folder / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not IS_ROOT, reason="only root can own a folder that the server's user may not enter")
def test_root_with_everything_below_a_folder_that_only_root_may_enter(folder: Path) -> None:
    closed, reachable = folder / "closed", folder / "reachable"
    closed.mkdir(mode=0o700)
    original = copy_installation(find_installation(), closed / "venv")
    closed.chmod(0o700)
    data = DataDirectory(closed / "checkout/.tradewind")

    def start() -> RunningServer:
        server = EmbeddedPostgres(data, free_loopback_port(), original=original, reachable_place=reachable)
        return RunningServer(server, folder / "closed.log")

    first = start()
    try:
        ask_postgres(first, "CREATE TABLE positions AS SELECT 'AAPL' AS symbol")
        assert data.postgres.is_symlink()
        assert data.postgres.resolve().parent == reachable
        assert str(reachable) in command_line(first.pid)
    finally:
        first.stop()
    second = start()
    try:
        assert ask_postgres(second, "SELECT symbol FROM positions") == "AAPL"
    finally:
        second.stop()
    assert closed.stat().st_mode & 0o777 == 0o700, "the permissions of the user's folders are his own"


def test_where_the_wheel_is_missing_the_message_says_what_to_do() -> None:
    with pytest.raises(ServerMissingError, match=r"install PostgreSQL .* and set DATABASE_URL=") as caught:
        find_installation("a_wheel_that_is_not_there")
    assert "\n" not in str(caught.value)


def test_where_the_binary_does_not_run_the_message_says_what_to_do(tmp_path: Path) -> None:
    for name in ("initdb", "postgres"):
        (tmp_path / name).write_bytes(b"\x7fELF of another machine")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(ServerMissingError, match=r"does not run on this machine .* set DATABASE_URL="):
        runnable_installation(PostgresInstallation(tmp_path), None, tmp_path)


def test_lost_secrets_are_not_replaced_while_there_is_data_that_needs_them(folder: Path) -> None:
    data = DataDirectory(folder / "lost")
    data.create()
    data.secrets()
    data.postgres.mkdir()
    (data.path / "secrets.json").unlink()
    with pytest.raises(ServerNotPreparedError, match=r"secrets\.json is missing"):
        data.secrets()


def test_a_server_user_has_no_rights() -> None:
    user = server_user()
    if IS_ROOT:
        assert isinstance(user, ServerUser)
        assert user.uid != 0
        assert user.gid != 0
    else:
        assert user is None
