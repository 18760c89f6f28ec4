"""Processes of a benchmark: start one, wait until it is ready, stop it, and see whose CPU time is whose (Linux)."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import httpx

STOP_TIMEOUT_S = 30.0
POLL_S = 0.1
LOG_TAIL_LINES = 20


class BenchmarkError(Exception):
    """The benchmark cannot go on; the message says what happened and, where known, the mend."""


class Server:
    """A server process of ours on loopback, its output in a log file."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log_path: Path
    ) -> None:
        self.name = name
        self._log_path = log_path
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=dict(environment), stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def wait_until_ready(self, url: str, timeout_s: float) -> None:
        """Return when `url` answers 200; raises `BenchmarkError` with the end of the log when it does not."""
        deadline_s = time.monotonic() + timeout_s
        with httpx.Client(trust_env=False, timeout=2.0) as client:
            while time.monotonic() < deadline_s:
                if self._process.poll() is not None:
                    raise BenchmarkError(
                        f"{self.name} ended with code {self._process.returncode}:\n{self._log_tail()}"
                    )
                if _answers_200(client, url):
                    return
                time.sleep(POLL_S)
        raise BenchmarkError(
            f"{self.name} was not ready at {url} within {timeout_s:.0f} s:\n{self._log_tail()}"
        )

    def stop(self) -> None:
        """Ask it to end, and kill it when it has not within `STOP_TIMEOUT_S`."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _log_tail(self) -> str:
        return "\n".join(self._log_path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


def _answers_200(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def parent_pid(pid: int) -> int:
    """The parent of a process; raises `OSError` when it is gone."""
    return int(_stat_fields(pid)[1])


def cpu_seconds(names_by_pid: Mapping[int, str]) -> dict[str, float]:
    """CPU seconds used so far, by name: each process counts for its nearest ancestor that has a name.

    A child that ended counts through its parent, so differences between two calls stay right.
    """
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = _stat_fields(int(entry.name))
        except OSError:  # it ended meanwhile
            continue
        parents[int(entry.name)] = int(fields[1])
        ticks[int(entry.name)] = sum(int(field) for field in fields[11:15])
    used = dict.fromkeys(names_by_pid.values(), 0.0)
    for pid, count in ticks.items():
        owner = pid
        while owner and owner not in names_by_pid:
            owner = parents.get(owner, 0)
        if owner:
            used[names_by_pid[owner]] += count / ticks_per_s
    return used


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third (state) on; the second may hold blanks and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except ProcessLookupError as error:  # read after the process ended
        raise FileNotFoundError(str(error)) from error
