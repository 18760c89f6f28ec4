"""A real platform in a folder of its own: started with `tradewind up`, wounded, healed and stopped."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import redis

from tests.servers import server_folder
from tradewind.adapters.embedded.data_directory import DataDirectory
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.embedded.processes import command_line, die_with_parent, environment_of
from tradewind.entrypoints.up.public_ports import PORT_SETTING_OF_SERVICE
from tradewind.entrypoints.up.run_file import (
    RunningPlatform,
    left_over,
    running_platform,
    with_running_platform,
)
from tradewind.settings import FILE_SUFFIX, Settings, described_settings, to_environment

SERVICES = tuple(PORT_SETTING_OF_SERVICE)
ORDER_SERVICE, POSTGRES, VALKEY = "order-service", "postgres", "valkey"
HOST = "127.0.0.1"
READY_LINE = "Tradewind is ready"
BANNER_END = "Try, in another terminal:"
"""The banner is printed in several writes: who reads it waits for its last part."""

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 45.0
READY_TIMEOUT_S = 60.0
POLL_INTERVAL_S = 0.05

_OWN_VARIABLES = {variable.name for _, variable in described_settings().values()}


class LivePlatform:
    """One data directory and the `tradewind up` that runs on it now, if any."""

    def __init__(self, data_dir: Path, log: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.log = log
        taken: set[int] = set()
        ports: dict[str, str] = {}
        for field in PORT_SETTING_OF_SERVICE.values():
            port = free_loopback_port(frozenset(taken))
            taken.add(port)
            ports[described_settings()[field][1].name] = str(port)
        self._environment = clean_environment() | ports | dict(settings or {})
        self._up: subprocess.Popen[bytes] | None = None
        self._printed = 0
        """Length of the log when `tradewind up` was launched."""

    # -- the supervisor

    def start(self, *options: str) -> None:
        """`tradewind up` with these options; returns when it says that it is ready."""
        self.launch(*options)
        self.wait_until_started()

    def launch(self, *options: str) -> None:
        """Begin `tradewind up`. It ends with the thread that calls this, should that not stop it."""
        self._printed = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self._up = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tradewind.cli.main",
                    "up",
                    "--data-dir",
                    str(self.data_dir),
                    *options,
                ],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 -- loads nothing, locks nothing
            )

    def wait_until_started(self) -> None:
        """Until what was launched says that it is ready."""
        assert self._up is not None
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while BANNER_END.encode() not in self.log.read_bytes()[self._printed :]:
            if self._up.poll() is not None or time.monotonic() > deadline_s:
                raise AssertionError(f"the platform did not start:\n{self.log_tail()}")
            time.sleep(POLL_INTERVAL_S)

    @property
    def supervisor_pid(self) -> int:
        """Process id of `tradewind up`."""
        assert self._up is not None
        return self._up.pid

    def revive(self) -> None:
        """Start it unless it runs; returns when everything is ready."""
        if self._up is None or self._up.poll() is not None:
            self.start()
        self.wait_until_ready()

    def kill_supervisor(self) -> None:
        """SIGKILL `tradewind up` itself; its children are on their own from then on."""
        assert self._up is not None
        self._up.kill()
        self._up.wait()
        self._up = None

    def stop(self) -> int | None:
        """As Ctrl-C does; the exit status. Whatever outlives that is killed."""
        up, self._up = self._up, None
        status = None
        if up is not None:
            for pid in self._recorded_pids().values():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            up.terminate()
            try:
                status = up.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                up.kill()
                up.wait()
        for name, pid in self._recorded_pids().items():
            kill_if_ours(name, pid, self.data_dir)
        return status

    # -- its processes

    def owns(self, server: str) -> bool:
        """Whether `POSTGRES` or `VALKEY` is its private one, not one that its settings name."""
        return not self._environment.get({POSTGRES: "DATABASE_URL", VALKEY: "REDIS_HOST"}[server])

    @property
    def running(self) -> RunningPlatform:
        """Ports, passwords and process ids of now."""
        found = running_platform(self.data_dir)
        assert found is not None, "the platform does not run"
        return found

    @property
    def settings(self) -> Settings:
        """Settings that reach this platform."""
        return with_running_platform(Settings(data_dir=self.data_dir))

    def url(self, service: str = "api-gateway") -> str:
        """Base URL of a service."""
        field = PORT_SETTING_OF_SERVICE[service]
        return f"http://{HOST}:{self._environment[described_settings()[field][1].name]}"

    def pid(self, name: str) -> int | None:
        """Process id by name; None while it is down."""
        pid = self.running.pids.get(name)
        return pid if pid is not None and command_line(pid) else None

    def send(self, name: str, number: signal.Signals) -> bool:
        """Send a signal to a process; whether there was one."""
        pid = self.pid(name)
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
        return False

    def flush_redis(self) -> bool:
        """FLUSHALL; whether Redis was there to hear it."""
        running = self.running
        client = redis.Redis(
            host=running.redis_host,
            port=running.redis_port,
            password=running.redis_password,
            socket_timeout=5,
        )
        with client:
            try:
                client.flushall()
            except redis.exceptions.RedisError:
                return False
        return True

    def wait_until_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Until every service says that it is ready; `AssertionError` when that takes longer."""
        deadline_s = time.monotonic() + timeout_s
        missing = list(SERVICES)
        with httpx.Client(trust_env=False, timeout=5) as client:
            while missing:
                missing = [name for name in missing if not is_ready(client, self.url(name))]
                if missing and time.monotonic() > deadline_s:
                    raise AssertionError(f"not ready after {timeout_s:g} s: {missing}\n{self.log_tail()}")
                if missing:
                    time.sleep(POLL_INTERVAL_S)

    # -- what it printed

    def log_tail(self, lines: int = 60) -> str:
        """The last lines that `tradewind up` printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def first_banner(self) -> dict[str, str]:
        """The rows of the first banner by their names: it alone shows the secrets."""
        return _banner_rows(self.log.read_text(errors="replace").split(READY_LINE)[1])

    def banner(self) -> dict[str, str]:
        """The rows of the last banner by their names."""
        return _banner_rows(self.log.read_text(errors="replace").rpartition(READY_LINE)[2])

    def _recorded_pids(self) -> dict[str, int]:
        found = left_over(DataDirectory(self.data_dir))
        return {} if found is None else found.pids


@contextmanager
def live_platform(settings: Mapping[str, str] | None = None) -> Iterator[LivePlatform]:
    """A platform in a new folder, started; everything is stopped and removed at the end."""
    with server_folder() as folder:
        platform = LivePlatform(folder / "data", folder / "up.log", settings)
        try:
            platform.start()
            yield platform
        finally:
            platform.stop()


def clean_environment() -> dict[str, str]:
    """Ours without any setting of the platform's."""
    replaced = _OWN_VARIABLES | {name + FILE_SUFFIX for name in _OWN_VARIABLES}
    return {name: value for name, value in os.environ.items() if name not in replaced}


def service_process(
    name: str, settings: Settings, log: Path, variables: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """One more process of a service, outside `tradewind up`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "tradewind.cli.main", "service", name],
            env=clean_environment() | to_environment(settings) | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 -- loads nothing, locks nothing
        )


def is_ready(client: httpx.Client, base_url: str) -> bool:
    """Whether the service says so now."""
    try:
        return client.get(f"{base_url}/ready").status_code == 200
    except httpx.TransportError:
        return False


def kill_if_ours(name: str, pid: int, data_dir: Path) -> None:
    """SIGKILL a process that `run.json` names, unless its number belongs to another by now."""
    line = command_line(pid)
    is_server = str(data_dir.resolve()) in line
    environment = environment_of(pid) or {}
    is_service = f"service {name}" in line and environment.get("TRADEWIND_DATA_DIR") == str(data_dir)
    if is_server or is_service:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _banner_rows(text: str) -> dict[str, str]:
    names = "REST API|API docs|WebSocket|Analytics|User|API key|API secret|Data"
    return dict(re.findall(rf"^  ({names}) +(.+)$", text, re.MULTILINE))
