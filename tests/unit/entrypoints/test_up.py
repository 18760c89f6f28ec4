"""The parts of `tradewind up` that need no servers: ports, the state that other commands read, the banner."""

import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.entrypoints.up.banner import print_banner
from tradewind.entrypoints.up.errors import PlatformError
from tradewind.entrypoints.up.left_behind import stop_services_left_behind
from tradewind.entrypoints.up.public_ports import (
    PORT_SETTING_OF_SERVICE,
    PortClaims,
    reachable_host,
    with_free_ports,
)
from tradewind.entrypoints.up.run_file import RunFile, describe, running_platform, with_running_platform
from tradewind.entrypoints.up.seed import SeededCredentials
from tradewind.entrypoints.up.seeded import recall, remember
from tradewind.entrypoints.up.service_specs import service_arguments, service_environment
from tradewind.settings import Settings

CREDENTIALS = SeededCredentials(
    user_email="demo@example.com",
    user_password="correct horse",
    api_key_id="PK0001",
    api_key_secret="s3cr3t",
    account_id="0190a0a0-0000-7000-8000-000000000001",
    strategy_account_id="0190a0a0-0000-7000-8000-000000000002",
)


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def claims() -> Iterator[PortClaims]:
    with PortClaims() as held:
        yield held


def at_ports(first: int) -> Settings:
    return Settings(
        gateway_port=first,
        websocket_port=first + 1,
        analytics_port=first + 2,
        strategy_port=first + 3,
        order_port=first + 4,
    )


def test_a_busy_default_port_makes_way(busy_port: int, claims: PortClaims) -> None:
    settings = with_free_ports(at_ports(busy_port), frozenset(), claims)
    ports = [getattr(settings, field) for field in PORT_SETTING_OF_SERVICE.values()]
    assert busy_port not in ports
    assert len(set(ports)) == len(ports)


def test_a_busy_port_that_the_user_chose_is_an_error_that_names_it(
    busy_port: int, claims: PortClaims
) -> None:
    with pytest.raises(PlatformError, match=f"TRADEWIND_GATEWAY_PORT.*127.0.0.1:{busy_port}.*choose another"):
        with_free_ports(at_ports(busy_port), frozenset({"gateway_port"}), claims)


def test_a_port_that_the_user_chose_is_not_given_to_another_service(
    busy_port: int, claims: PortClaims
) -> None:
    wanted = msgspec.structs.replace(at_ports(busy_port), order_port=busy_port + 1)
    settings = with_free_ports(wanted, frozenset({"order_port"}), claims)
    assert settings.order_port == busy_port + 1
    assert settings.gateway_port != busy_port + 1


def test_two_platforms_that_start_at_once_choose_different_ports(claims: PortClaims) -> None:
    wanted = Settings()
    one = with_free_ports(wanted, frozenset(), claims)
    with PortClaims() as other_claims:
        other = with_free_ports(wanted, frozenset(), other_claims)
    fields = PORT_SETTING_OF_SERVICE.values()
    assert not {getattr(one, field) for field in fields} & {getattr(other, field) for field in fields}


def test_one_port_for_two_services_is_an_error(busy_port: int, claims: PortClaims) -> None:
    wanted = msgspec.structs.replace(at_ports(busy_port + 1), order_port=busy_port + 1)
    with pytest.raises(PlatformError, match=r"TRADEWIND_ORDER_PORT: port .* is given to two services"):
        with_free_ports(wanted, frozenset({"gateway_port", "order_port"}), claims)


@pytest.mark.parametrize(
    ("bind_host", "host"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("127.0.0.1", "127.0.0.1"), ("10.1.2.3", "10.1.2.3")],
)
def test_services_are_asked_where_they_listen(bind_host: str, host: str) -> None:
    assert reachable_host(bind_host) == host


def running(settings: Settings) -> RunFile:
    data = DataDirectory(settings.data_dir)
    data.create()
    return RunFile(data.run_file, describe(settings), pytest.fail)


def test_other_commands_find_the_running_platform(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    platform = Settings(
        data_dir=data_dir,
        database_url="postgresql://u:p@h/d",
        redis_host="r",
        redis_port=7,
        redis_password="x",
        influxdb_url="http://i",
        influxdb_token="t",
        influxdb_retention_days=30,
        order_port=9,
    )
    assert running_platform(data_dir) is None
    run_file = running(platform)
    run_file.update_pids({"postgres": 11, "order-service": 12})
    run_file.mark_ready()
    found = running_platform(data_dir)
    assert found is not None
    assert found.is_ready
    assert found.pids == {"postgres": 11, "order-service": 12}
    assert found.supervisor_pid == os.getpid()
    assert (data_dir / "run.json").stat().st_mode & 0o777 == 0o600
    assert with_running_platform(Settings(data_dir=data_dir)) == platform
    run_file.remove()
    assert with_running_platform(Settings(data_dir=data_dir)) == Settings(data_dir=data_dir)


def test_servers_that_the_user_named_are_kept(tmp_path: Path) -> None:
    running(Settings(data_dir=tmp_path, database_url="postgresql://a", redis_host="a")).update_pids({})
    mine = Settings(data_dir=tmp_path, database_url="postgresql://b", redis_host="b", redis_port=5)
    assert with_running_platform(mine) == mine


def test_a_platform_that_was_killed_is_not_found(tmp_path: Path) -> None:
    running(Settings(data_dir=tmp_path)).update_pids({})
    run_file = tmp_path / "run.json"
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    run_file.write_text(
        run_file.read_text().replace(f'"supervisor_pid": {os.getpid()}', f'"supervisor_pid": {dead.pid}')
    )
    assert running_platform(tmp_path) is None


def test_a_process_that_only_has_the_number_of_a_service_is_let_be(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        try:
            running(Settings(data_dir=tmp_path)).update_pids({"order-service": bystander.pid})
            stop_services_left_behind(DataDirectory(tmp_path), pytest.fail)
            assert bystander.poll() is None
            assert not (tmp_path / "run.json").exists()
        finally:
            bystander.kill()


@contextmanager
def order_service_of(data_dir: Path, checkout: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with the command line and the environment of the order service on this data directory."""
    stand_in = checkout / "tradewind/cli/main.py"  # found before the real one: the command line is the same
    stand_in.parent.mkdir(parents=True)
    for package in (stand_in.parent, stand_in.parents[1]):
        (package / "__init__.py").touch()
    stand_in.write_text("import time; print('up', flush=True); time.sleep(60)")
    environment = service_environment(Settings(data_dir=data_dir), os.environ)
    with subprocess.Popen(
        service_arguments("order-service"), cwd=checkout, env=environment, stdout=subprocess.PIPE
    ) as service:
        try:
            assert service.stdout is not None
            assert service.stdout.readline() == b"up\n"
            yield service
        finally:
            service.kill()


@pytest.mark.parametrize("given", ["absolute", "relative"])
def test_a_service_left_behind_is_stopped(tmp_path: Path, given: str) -> None:
    data_dir = tmp_path / ".tradewind"
    used = data_dir if given == "absolute" else Path(".tradewind")
    with order_service_of(used, checkout=tmp_path) as service:
        running(Settings(data_dir=data_dir)).update_pids(
            {"order-service": service.pid, "postgres": os.getpid()}
        )
        said: list[str] = []
        stop_services_left_behind(DataDirectory(data_dir), said.append)
        assert service.wait(1) == -signal.SIGTERM
        assert said == [
            f"stopping order-service (process {service.pid}), which the last `tradewind up` left behind"
        ]


def test_the_service_of_another_checkout_that_got_the_number_is_let_be(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    with order_service_of(Path(".tradewind"), checkout=other) as service:
        running(Settings(data_dir=mine / ".tradewind")).update_pids({"order-service": service.pid})
        stop_services_left_behind(DataDirectory(mine / ".tradewind"), pytest.fail)
        assert service.poll() is None


def test_a_service_gets_exactly_the_platforms_settings() -> None:
    settings = Settings(database_url="postgresql://ours", gateway_port=9000)
    environment = service_environment(
        settings,
        {
            "PATH": "/bin",
            "DATABASE_URL": "postgresql://other",
            "DATABASE_URL_FILE": "/run/secret",
            "TRADEWIND_FEED": "replay",
        },
    )
    assert environment["PATH"] == "/bin"
    assert Settings.from_environment(environment) == settings


def test_secrets_of_the_seed_are_shown_once_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "platform.json"
    kept = remember(path, CREDENTIALS)
    assert recall(path) == kept
    assert CREDENTIALS.api_key_secret not in path.read_text()
    assert CREDENTIALS.user_password not in path.read_text()
    first, second = io.StringIO(), io.StringIO()
    print_banner(first, Settings(), kept, CREDENTIALS)
    print_banner(second, Settings(), kept, None)
    for shown in (CREDENTIALS.user_password, CREDENTIALS.api_key_secret):
        assert shown in first.getvalue()
        assert shown not in second.getvalue()
    assert CREDENTIALS.user_email in second.getvalue()
    assert CREDENTIALS.api_key_id in second.getvalue()


def test_the_banner_names_the_ports_in_use_and_breaks_no_line_to_copy() -> None:
    stream = io.StringIO()
    print_banner(
        stream, Settings(gateway_port=9001, websocket_port=9002, analytics_port=9003), None, CREDENTIALS
    )
    for url in ("http://127.0.0.1:9001/docs", "ws://127.0.0.1:9002/stream", "http://127.0.0.1:9003"):
        assert url in stream.getvalue()
    [line] = [line for line in stream.getvalue().splitlines() if "curl" in line]
    assert "9001" in line
