"""The private Valkey: private, durable, through crashes."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.integration.embedded.scenarios import as_user, ask_valkey
from tests.servers import RunningServer, running_valkey, server_folder
from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.adapters.embedded.errors import ServerMissingError
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.embedded.processes import command_line
from tradewind.adapters.embedded.unprivileged import server_user
from tradewind.adapters.embedded.valkey import EmbeddedValkey, runnable_binary

IS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with server_folder() as path:
        yield path


@pytest.fixture(scope="module")
def valkey(folder: Path) -> Iterator[RunningServer]:
    with running_valkey(folder / "a folder with spaces") as running:
        yield running


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("bind", "127.0.0.1"),
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("maxmemory-policy", "noeviction"),
        ("protected-mode", "yes"),
    ],
)
def test_it_is_private_and_keeps_what_it_is_given(valkey: RunningServer, setting: str, value: str) -> None:
    answer = ask_valkey(valkey, "CONFIG", "GET", setting)
    assert answer == {setting: value}


def test_without_the_password_nothing_is_answered(valkey: RunningServer) -> None:
    with (
        redis.Redis(host="127.0.0.1", port=valkey.server.port, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_the_password_is_neither_on_the_command_line_nor_readable_by_others(valkey: RunningServer) -> None:
    assert isinstance(valkey.server, EmbeddedValkey)
    running = command_line(valkey.pid)
    assert valkey.server.password not in running
    assert Path(valkey.server.command()[1]).stat().st_mode & 0o077 == 0


def test_killed_it_comes_back_on_its_port_with_its_streams(valkey: RunningServer) -> None:
    ask_valkey(valkey, "XADD", "orders:commands:0", "*", "command", "submit")
    port = valkey.server.port
    valkey.kill()
    valkey.restart()
    assert valkey.server.port == port
    assert ask_valkey(valkey, "XLEN", "orders:commands:0") == 1


def test_a_server_left_behind_is_found_and_stopped(folder: Path) -> None:
    with running_valkey(folder / "left") as left_behind:
        ask_valkey(left_behind, "SET", "bar", "1")
        with running_valkey(folder / "left") as successor:
            assert left_behind.process.wait(1) == 0
            assert ask_valkey(successor, "GET", "bar") == "1"


def test_a_pid_file_that_names_another_process_does_not_stop_that_process(folder: Path) -> None:
    data = DataDirectory(folder / "reused")
    data.create()
    data.valkey.mkdir()
    (data.valkey / "valkey.pid").write_text(f"{os.getppid()}\n")
    with running_valkey(data.path) as running:
        assert ask_valkey(running, "PING")
    assert command_line(os.getppid())


@pytest.mark.skipif(not IS_ROOT, reason="as a normal user every other test here is this one")
def test_root_may_be_a_normal_user_too(valkey: RunningServer, folder: Path) -> None:
    nobody = server_user()
    assert nobody is not None
    assert ask_valkey(valkey, "PING")
    binary = folder / "valkey-server"
    shutil.copy(runnable_binary(), binary)
    binary.chmod(0o755)
    own_folder = folder / "own"
    own_folder.mkdir()
    os.chown(own_folder, nobody.uid, nobody.gid)

    def scenario() -> None:
        server = EmbeddedValkey(DataDirectory(own_folder / "data"), free_loopback_port(), binary=binary)
        running = RunningServer(server, own_folder / "log")
        try:
            assert ask_valkey(running, "PING")
        finally:
            running.stop()

    as_user(nobody, scenario)


def test_where_the_wheel_is_missing_the_message_says_what_to_do() -> None:
    with pytest.raises(ServerMissingError, match="set REDIS_HOST and REDIS_PORT") as caught:
        runnable_binary("a_wheel_that_is_not_there")
    assert "\n" not in str(caught.value)
