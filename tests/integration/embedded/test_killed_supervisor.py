"""`kill -9` of whoever supervises the private servers: nothing keeps a port or a lock, and nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import server_folder
from tradewind.adapters.embedded.ports import LOOPBACK, is_free
from tradewind.adapters.embedded.processes import command_line

CHECKOUT = Path(__file__).parents[3]
WAIT_S = 10.0


@contextmanager
def supervised_servers(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[tuple[int, int]]]]:
    """A supervisor on that folder, and process id and port of each server."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.embedded.supervised_servers", str(folder)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        try:
            assert supervisor.stdout is not None
            pairs = [pair.split(":") for pair in supervisor.stdout.readline().split()]
            yield supervisor, [(int(pid), int(port)) for pid, port in pairs]
        finally:
            supervisor.kill()


def wait_until_gone(pids: list[int]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while any(command_line(pid) for pid in pids) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert not [pid for pid in pids if command_line(pid)]


def wait_until_listening(port: int) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while is_free(LOOPBACK, port) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert not is_free(LOOPBACK, port)


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere only the next start stops what was left behind"
)
def test_nothing_outlives_a_killed_supervisor_and_the_next_one_starts_at_once() -> None:
    with server_folder() as folder, supervised_servers(folder) as (supervisor, servers):
        assert len(servers) == 2
        supervisor.kill()
        supervisor.wait()
        with supervised_servers(folder) as (_, successors):  # at once: the old ones may still be stopping
            assert len(successors) == 2
            assert not [pid for pid, _ in servers if command_line(pid)]
            assert all(is_free(LOOPBACK, port) for _, port in servers)
            for pid, port in successors:
                os.kill(pid, signal.SIGKILL)
                wait_until_gone([pid])
                wait_until_listening(port)
