"""The platform under load: one of our own, one that `tradewind up` runs on this machine, or one at given addresses."""

import os
import shlex
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.load.resources import DockerMeter, Meter, NothingToMeter, ProcessMeter
from benchmarks.load_plan import Accounts, KeyPair
from benchmarks.platform_under_test import COMMAND_TIMEOUT_S, DEPOSIT, SYMBOLS, TRADEWIND, Platform
from benchmarks.processes import BenchmarkError
from tradewind.entrypoints.up.run_file import running_platform


class Addresses(NamedTuple):
    """Base URLs of the three public services."""

    rest: str
    stream: str
    analytics: str


class Target(NamedTuple):
    """Where the platform is, who trades on it, and how its processes are watched."""

    name: str
    addresses: Addresses
    accounts: Accounts
    meter: Meter


class _NewKey(msgspec.Struct):
    key_id: str
    secret: str


@contextmanager
def own_platform(account_count: int) -> Iterator[Target]:
    """A platform in a new folder, on free ports, with funded accounts; stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="tradewind-load-") as folder:
        platform = Platform(Path(folder))
        try:
            platform.wait_until_ready()
            yield running_target(Path(folder) / "platform", account_count)
        finally:
            platform.server.stop()


def running_target(data_dir: Path, account_count: int) -> Target:
    """The platform that `tradewind up` (`make run`) runs on this data folder; raises `BenchmarkError` when none does."""
    running = running_platform(data_dir)
    if running is None:
        raise BenchmarkError(f"no platform runs on {data_dir}: start one with `make run`")
    host, ports = running.bind_host, running.ports
    addresses = Addresses(
        rest=f"http://{host}:{ports['api-gateway']}",
        stream=f"ws://{host}:{ports['websocket-service']}",
        analytics=f"http://{host}:{ports['analytics-service']}",
    )
    environment = os.environ | {"TRADEWIND_DATA_DIR": str(data_dir)}
    names_by_pid = {pid: name for name, pid in running.pids.items()} | {running.supervisor_pid: "up"}
    accounts = create_accounts(TRADEWIND, environment, account_count)
    return Target(str(data_dir), addresses, accounts, ProcessMeter(names_by_pid))


def given_target(
    addresses: Addresses,
    accounts: Path | None,
    tradewind: str | None,
    account_count: int,
    project: str | None,
) -> Target:
    """A platform at these addresses; its accounts come from a file, or are made with the `tradewind` command given."""
    meter = DockerMeter(project) if project is not None else NothingToMeter()
    if accounts is not None:
        return Target(addresses.rest, addresses, Accounts.read(accounts), meter)
    if tradewind is None:
        raise BenchmarkError("--url needs --accounts FILE, or --tradewind COMMAND to make accounts with")
    made = create_accounts(shlex.split(tradewind), os.environ, account_count)
    return Target(addresses.rest, addresses, made, meter)


def create_accounts(tradewind: Sequence[str], environment: Mapping[str, str], count: int) -> Accounts:
    """Make new users, each with a funded paper account and a key; raises `BenchmarkError`."""
    run = uuid.uuid4().hex[:8]
    keys = []
    for number in range(count):
        email = f"load-{run}-{number}@example.com"
        _run([*tradewind, "user", "create", "--email", email, "--deposit", DEPOSIT, "--json"], environment)
        printed = _run([*tradewind, "key", "create", "--email", email, "--json"], environment)
        key = msgspec.json.decode(printed, type=_NewKey)
        keys.append(KeyPair(id=key.key_id, secret=key.secret))
    return Accounts(keys=keys, symbols=list(SYMBOLS))


def _run(command: Sequence[str], environment: Mapping[str, str]) -> bytes:
    try:
        done = subprocess.run(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchmarkError(f"{shlex.join(command)}: {error}") from error
    if done.returncode != 0:
        raise BenchmarkError(f"{shlex.join(command)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
