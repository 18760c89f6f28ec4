"""What the platform's processes used while a scenario ran: from /proc, or from Docker for a Compose project."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from benchmarks.processes import BenchmarkError, cpu_seconds

SAMPLE_INTERVAL_S = 1.0
DOCKER_TIMEOUT_S = 30.0
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """One process or container: mean CPU in cores over the scenario, largest resident memory seen."""

    cores: float
    memory_mib_max: float


class Meter(Protocol):
    """Measures between `start` and `stop`."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> dict[str, Usage]:
        """End; the use by name."""


class NothingToMeter:
    """For a platform elsewhere."""

    def start(self) -> None:
        """Nothing."""

    def stop(self) -> dict[str, Usage]:
        """Nothing."""
        return {}


class ProcessMeter:
    """Processes of this machine by their ids; children count for their parents."""

    def __init__(self, names_by_pid: Mapping[int, str]) -> None:
        self._names_by_pid = dict(names_by_pid) | {os.getpid(): "load test"}
        self._sampler = _Sampler(self._sample)

    def start(self) -> None:
        """Begin."""
        self._memory: dict[str, float] = {}
        self._cpu_s, self._started_s = cpu_seconds(self._names_by_pid), time.monotonic()
        self._sampler.start()

    def stop(self) -> dict[str, Usage]:
        """End; the use by name."""
        self._sampler.stop()
        took_s = time.monotonic() - self._started_s
        after = cpu_seconds(self._names_by_pid)
        return {
            name: Usage(
                cores=round((after[name] - self._cpu_s[name]) / took_s, 3),
                memory_mib_max=round(self._memory.get(name, 0.0), 1),
            )
            for name in after
        }

    def _sample(self) -> None:
        for pid, name in self._names_by_pid.items():
            mib = _resident_mib(pid)
            self._memory[name] = max(self._memory.get(name, 0.0), mib)


class DockerMeter:
    """The containers of a Compose project, through the `docker` command."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._sampler = _Sampler(self._sample)

    def start(self) -> None:
        """Begin; raises `BenchmarkError` when Docker has no such project."""
        listed = _docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={self._project}")
        self._containers = listed.split()
        if not self._containers:
            raise BenchmarkError(f"docker runs no container of the Compose project {self._project}")
        self._cores: dict[str, list[float]] = {}
        self._memory: dict[str, float] = {}
        self._sampler.start()

    def stop(self) -> dict[str, Usage]:
        """End; the use by name."""
        self._sampler.stop()
        return {
            name: Usage(cores=round(sum(cores) / len(cores), 3), memory_mib_max=round(self._memory[name], 1))
            for name, cores in sorted(self._cores.items())
        }

    def _sample(self) -> None:
        shown = _docker("stats", "--no-stream", "--format", "{{json .}}", *self._containers)
        for line in shown.splitlines():
            row = msgspec.json.decode(line, type=dict[str, str])
            name = row["Name"]
            self._cores.setdefault(name, []).append(float(row["CPUPerc"].rstrip("%")) / 100)
            mib = _bytes(row["MemUsage"].partition(" /")[0]) / 2**20
            self._memory[name] = max(self._memory.get(name, 0.0), mib)


class _Sampler:
    """Calls `sample` in a thread, now and then every `SAMPLE_INTERVAL_S`."""

    def __init__(self, sample: Callable[[], None]) -> None:
        self._sample = sample

    def start(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        self._sample()
        while not self._ended.wait(SAMPLE_INTERVAL_S):
            self._sample()


def _resident_mib(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # it ended meanwhile
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _docker(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=DOCKER_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BenchmarkError(f"docker {arguments[0]}: {error}") from error
    return done.stdout


def _bytes(text: str) -> float:
    unit = next(unit for unit in sorted(_UNITS, key=len, reverse=True) if text.endswith(unit))
    return float(text.removesuffix(unit)) * _UNITS[unit]
