"""A real InfluxDB for tests: the one that `INFLUXDB_URL` names, else the installed `influxd` (1.x) on free ports."""

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.servers import POLL_INTERVAL_S, START_TIMEOUT_S, STOP_TIMEOUT_S, server_folder
from tradewind.adapters.embedded.ports import free_loopback_port
from tradewind.adapters.embedded.processes import die_with_parent
from tradewind.adapters.influxdb.client import InfluxAddress

WHY_SKIPPED = "no InfluxDB: install Debian's package influxdb, or set INFLUXDB_URL (and INFLUXDB_TOKEN)"

_CONFIGURATION = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
auth-enabled = {is_locked}
[retention]
check-interval = "1s"
[monitor]
store-enabled = false
"""

# Read before the tests take such variables away, so that no platform of theirs writes there.
_GIVEN = InfluxAddress(
    url=os.environ.get("INFLUXDB_URL", ""),
    database="",
    organisation=os.environ.get("INFLUXDB_ORG", "tradewind"),
    username=os.environ.get("INFLUXDB_USERNAME", "tradewind"),
    token=os.environ.get("INFLUXDB_TOKEN", ""),
)


def installed() -> bool:
    """Whether there is an `influxd` that this can start."""
    return shutil.which("influxd") is not None


class InfluxServer:
    """An `influxd` of our own; with `password` it asks for the user `tradewind`."""

    def __init__(self, folder: Path, password: str = "") -> None:
        self.url = f"http://127.0.0.1:{free_loopback_port()}"
        self.token = password
        self._log = folder / "influxd.log"
        self._configuration = folder / "influxdb.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(
                rpc_port=free_loopback_port(),
                port=httpx.URL(self.url).port,
                folder=folder,
                is_locked=str(bool(password)).lower(),
            )
        )
        self._process = self._start()
        if password:
            statement = f"CREATE USER \"tradewind\" WITH PASSWORD '{password}' WITH ALL PRIVILEGES"
            httpx.post(f"{self.url}/query", data={"q": statement}).raise_for_status()

    def kill(self) -> None:
        """As a crash: SIGKILL."""
        self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)

    def restart(self) -> None:
        """Start it again on the same port with the same data."""
        self._process = self._start()

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        command = ["influxd", "run", "-config", str(self._configuration)]
        # Variables of a server of the developer's own would change this one.
        environment = {name: text for name, text in os.environ.items() if not name.startswith("INFLUXDB_")}
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 -- loads nothing, locks nothing
            )
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not _answers(self.url):
            if process.poll() is not None or time.monotonic() > deadline_s:
                process.kill()
                process.wait()
                raise AssertionError(f"influxd did not start:\n{self._log.read_text()}")
            time.sleep(POLL_INTERVAL_S)
        return process


@contextmanager
def running_influx(password: str = "") -> Iterator[InfluxServer]:
    """An `influxd` with its data in a temporary folder."""
    with server_folder() as folder:
        server = InfluxServer(folder, password)
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def shared_influx() -> Iterator[InfluxAddress | None]:
    """The server that tests share, to be used through `own_database`; None when there is none."""
    given = os.environ.get("INFLUXDB_URL", "")
    if given:
        names = {"INFLUXDB_TOKEN": "", "INFLUXDB_USERNAME": "tradewind", "INFLUXDB_ORG": "tradewind"}
        token, username, organisation = (os.environ.get(name) or text for name, text in names.items())
        yield InfluxAddress(url=given, database="", organisation=organisation, username=username, token=token)
    elif installed():
        with running_influx() as server:
            yield address_of(server)
    else:
        yield None


def address_of(server: InfluxServer) -> InfluxAddress:
    """How to reach a server of ours, in a database of its caller's own that does not exist yet."""
    return InfluxAddress(
        url=server.url,
        database=f"tradewind-test-{uuid.uuid4().hex[:12]}",
        organisation="tradewind",
        username="tradewind",
        token=server.token,
    )


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ping", timeout=1.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
