"""The platform as the order benchmark sees it: `tradewind up`, its run file, its accounts and keys."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.load_plan import Accounts, KeyPair
from benchmarks.processes import POLL_S, BenchmarkError, Server, free_port

TRADEWIND = (sys.executable, "-m", "tradewind.cli.main")
READY_TIMEOUT_S = 90.0
COMMAND_TIMEOUT_S = 60.0
DEPOSIT = "100000000"
SYMBOLS = ("AAPL", "MSFT")
PORT_VARIABLES = (
    "TRADEWIND_GATEWAY_PORT",
    "TRADEWIND_WEBSOCKET_PORT",
    "TRADEWIND_ANALYTICS_PORT",
    "TRADEWIND_STRATEGY_PORT",
    "TRADEWIND_ORDER_PORT",
)


class RunFile(msgspec.Struct, frozen=True):
    """What `tradewind up` leaves in its data folder about the run; other fields are not read."""

    is_ready: bool
    database_url: str
    pids: dict[str, int]


class Platform:
    """A platform of our own in a fresh data folder, on free ports, everything else at its defaults."""

    def __init__(self, folder: Path) -> None:
        self._data_dir = folder / "platform"
        ports = {name: str(free_port()) for name in PORT_VARIABLES}
        self._environment = os.environ | ports | {"TRADEWIND_DATA_DIR": str(self._data_dir)}
        self.url = f"http://127.0.0.1:{self._environment['TRADEWIND_GATEWAY_PORT']}"
        self.server = Server(
            "tradewind up",
            [*TRADEWIND, "up", "--data-dir", str(self._data_dir)],
            self._environment,
            folder / "platform.log",
        )

    def wait_until_ready(self) -> RunFile:
        """The run file, once the gateway and all the rest are ready; raises `BenchmarkError`."""
        self.server.wait_until_ready(f"{self.url}/ready", READY_TIMEOUT_S)
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline_s:
            run_file = msgspec.json.decode((self._data_dir / "run.json").read_bytes(), type=RunFile)
            if run_file.is_ready:
                return run_file
            time.sleep(POLL_S)
        raise BenchmarkError(f"tradewind up: not all services were ready within {READY_TIMEOUT_S:.0f} s")

    def create_accounts(self, count: int) -> Accounts:
        """Make `count` users, each with a funded paper account and a key pair."""
        pairs = []
        for number in range(count):
            email = f"bench-{number}@example.com"
            self._tradewind("user", "create", "--email", email, "--deposit", DEPOSIT)
            key = self._tradewind("key", "create", "--email", email)
            pairs.append(KeyPair(id=key["key_id"], secret=key["secret"]))
        return Accounts(keys=pairs, symbols=list(SYMBOLS))

    def _tradewind(self, *arguments: str) -> dict[str, Any]:
        """Run one `tradewind` command on this platform's data folder and decode its JSON answer."""
        command = [*TRADEWIND, *arguments, "--json"]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            raise BenchmarkError(
                f"tradewind {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}"
            )
        answer: dict[str, Any] = msgspec.json.decode(done.stdout)
        return answer
