"""`run.json` in the data directory: where the running platform is, for other commands and for tests.

It is there while `tradewind up` runs and removed when that stops cleanly; one that is left over tells the next start
what may still be running.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from tradewind.adapters.embedded.data_directory import DataDirectory, write_private_file
from tradewind.adapters.embedded.processes import command_line
from tradewind.entrypoints.up.public_ports import PORT_SETTING_OF_SERVICE
from tradewind.settings import Settings

_INFLUXDB = (
    "influxdb_url",
    "influxdb_token",
    "influxdb_username",
    "influxdb_org",
    "influxdb_bucket",
    "influxdb_retention_days",
)


class RunningPlatform(msgspec.Struct, frozen=True):
    """Addresses, passwords and process ids of a running platform; `pids` and `ports` are by process name."""

    supervisor_pid: int
    is_ready: bool
    pids: dict[str, int]
    ports: dict[str, int]
    bind_host: str
    database_url: str
    redis_host: str
    redis_port: int
    redis_password: str
    jwt_secret_key: str
    influxdb: dict[str, str | int] = {}
    """The settings of InfluxDB, by field, when bars are kept there."""


class RunFile:
    """Writes `run.json` whenever something changes."""

    def __init__(self, path: Path, first: RunningPlatform, complain: Callable[[str], None]) -> None:
        self._path = path
        self._state = first
        self._complain = complain

    def update_pids(self, pids: Mapping[str, int]) -> None:
        """Note which processes run now."""
        self._write(msgspec.structs.replace(self._state, pids=dict(pids)))

    def mark_ready(self) -> None:
        """Note that everything is ready."""
        self._write(msgspec.structs.replace(self._state, is_ready=True))

    def remove(self) -> None:
        """The platform has stopped cleanly."""
        self._path.unlink(missing_ok=True)

    def _write(self, state: RunningPlatform) -> None:
        self._state = state
        try:
            write_private_file(self._path, msgspec.json.format(msgspec.json.encode(state)))
        except OSError as error:
            # A full disk must not end the supervision of what runs.
            self._complain(
                f"cannot write {self._path}: {error.strerror}; other commands will not find the platform"
            )


def left_over(data: DataDirectory) -> RunningPlatform | None:
    """What `run.json` says, whether or not it still runs; None when there is none that can be read."""
    try:
        return msgspec.json.decode(data.run_file.read_bytes(), type=RunningPlatform)
    except (OSError, msgspec.DecodeError):
        return None


def running_platform(data_dir: Path) -> RunningPlatform | None:
    """The platform that runs on this data directory now; None when none does."""
    found = left_over(DataDirectory(data_dir))
    return found if found is not None and command_line(found.supervisor_pid) else None


def with_running_platform(settings: Settings) -> Settings:
    """Settings that reach the platform which runs on their data directory; unchanged where the user set an address."""
    running = running_platform(settings.data_dir)
    if running is None:
        return settings
    changes: dict[str, object] = {"bind_host": running.bind_host}
    if not settings.database_url:
        changes["database_url"] = running.database_url
    if not settings.redis_host:
        changes |= {
            "redis_host": running.redis_host,
            "redis_port": running.redis_port,
            "redis_password": running.redis_password,
        }
    if not settings.influxdb_url:
        changes |= running.influxdb
    if not settings.jwt_secret_key:
        changes["jwt_secret_key"] = running.jwt_secret_key
    for service, field in PORT_SETTING_OF_SERVICE.items():
        changes[field] = running.ports[service]
    return msgspec.structs.replace(settings, **changes)


def describe(settings: Settings) -> RunningPlatform:
    """The state of a platform of these settings before its first process starts."""
    return RunningPlatform(
        supervisor_pid=os.getpid(),
        is_ready=False,
        pids={},
        ports={name: getattr(settings, field) for name, field in PORT_SETTING_OF_SERVICE.items()},
        bind_host=settings.bind_host,
        database_url=settings.database_url,
        redis_host=settings.redis_host,
        redis_port=settings.redis_port,
        redis_password=settings.redis_password,
        jwt_secret_key=settings.jwt_secret_key,
        influxdb={field: getattr(settings, field) for field in _INFLUXDB} if settings.influxdb_url else {},
    )
