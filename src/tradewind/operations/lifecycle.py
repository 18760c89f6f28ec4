"""The outermost loop of every process: run, stop when asked, never outstay the limit.

    async def main(stop: asyncio.Event) -> None:
        ...                  # start everything
        await stop.wait()
        ...                  # drain and close everything, within DRAIN_TIMEOUT_S

    run_until_signalled(main)

The process ends with status 0 after SIGTERM or SIGINT, 1 after an unexpected exception.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable

import uvloop

from tradewind.operations.logging import get_logger

DRAIN_TIMEOUT_S = 9.0
"""How long after the signal `main` may drain before it is cancelled."""

EXIT_TIMEOUT_S = 9.8
"""How long after the signal the process may exist at all, should even cancelling not end it."""

Main = Callable[[asyncio.Event], Awaitable[None]]

_log = get_logger(__name__)


def run_until_signalled(main: Main) -> None:
    """Run `main`; SIGTERM and SIGINT set its event. Raises `SystemExit(1)` when `main` failed."""
    try:
        uvloop.run(_run(main))
    except Exception as error:
        _log.exception("process failed")
        raise SystemExit(1) from error


async def _run(main: Main) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _begin_stop, stop, number)
    work = asyncio.ensure_future(main(stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        await asyncio.wait((work,), timeout=DRAIN_TIMEOUT_S)
    if not work.done():
        _log.error("drain took too long, giving up", timeout_s=DRAIN_TIMEOUT_S)
        work.cancel()
        await asyncio.wait((work,), timeout=EXIT_TIMEOUT_S - DRAIN_TIMEOUT_S)
        return
    stopping.cancel()
    await work
    _log.info("process stopped")


def _begin_stop(stop: asyncio.Event, number: signal.Signals) -> None:
    if stop.is_set():
        return  # Ctrl-C reaches a whole process group, and the supervisor then asks again
    _log.info("stopping", signal=number.name)
    stop.set()
    # Outside the loop, so that neither a task that ignores its cancellation nor a stuck thread can hold us.
    reaper = threading.Timer(EXIT_TIMEOUT_S, _exit_now)
    reaper.daemon = True
    reaper.start()


def _exit_now() -> None:
    _log.error("process would not end, exiting", timeout_s=EXIT_TIMEOUT_S)
    os._exit(0)
