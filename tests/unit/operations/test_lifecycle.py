"""Real processes that are told to stop."""

import signal
import subprocess
import sys
import textwrap

import pytest

PREAMBLE = """
import asyncio, time, sys
from tradewind.operations import lifecycle
from tradewind.operations.logging import configure_logging
configure_logging("order-service", "info")
"""


def start(body: str) -> subprocess.Popen[str]:
    program = PREAMBLE + textwrap.dedent(body)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def stop(process: subprocess.Popen[str], number: int) -> tuple[int, str]:
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(number)
    output, _ = process.communicate(timeout=10)
    return process.returncode, output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_exits_0(number: int) -> None:
    process = start(
        """
        async def main(stop):
            print("started", flush=True)
            await stop.wait()
            await asyncio.sleep(0.05)
            print("drained", flush=True)
        lifecycle.run_until_signalled(main)
        """
    )
    status, output = stop(process, number)
    assert status == 0
    assert "drained" in output
    assert '"event":"process stopped"' in output


def test_a_drain_that_takes_too_long_is_cancelled() -> None:
    process = start(
        """
        lifecycle.DRAIN_TIMEOUT_S = 0.1
        async def main(stop):
            print("started", flush=True)
            await asyncio.Event().wait()
        lifecycle.run_until_signalled(main)
        """
    )
    status, output = stop(process, signal.SIGTERM)
    assert status == 0
    assert "drain took too long" in output


def test_a_stuck_thread_cannot_hold_the_process() -> None:
    process = start(
        """
        lifecycle.DRAIN_TIMEOUT_S = 0.1
        lifecycle.EXIT_TIMEOUT_S = 0.5
        async def main(stop):
            print("started", flush=True)
            await asyncio.to_thread(time.sleep, 60)
        lifecycle.run_until_signalled(main)
        """
    )
    status, output = stop(process, signal.SIGTERM)
    assert status == 0
    assert "process would not end" in output


def test_an_unexpected_exception_is_logged_and_exits_1() -> None:
    process = start(
        """
        async def main(stop):
            raise RuntimeError("the ledger does not balance")
        lifecycle.run_until_signalled(main)
        """
    )
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 1
    assert '"event":"process failed"' in output
    assert "the ledger does not balance" in output
