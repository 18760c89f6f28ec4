"""Runs something on exactly one replica: while this process holds a lease."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tradewind.operations.logging import get_logger
from tradewind.ports.errors import OwnershipLost, StoreUnavailable
from tradewind.ports.lease import Lease

ACQUIRE_INTERVAL_S = 1.0
"""How often a waiting replica asks for the lease."""

_log = get_logger(__name__)


def nothing_to_note() -> None:
    """For work that nobody asks about while it stands by."""


async def run_while_leading(
    lease: Lease, work: Callable[[], Awaitable[None]], on_standby: Callable[[], None] = nothing_to_note
) -> None:
    """Acquire the lease, run `work`, and do so again whenever the lease is lost; returns when `work` returns.

    A lost lease cancels `work`. The lease is given up when `work` ends in any way. `on_standby` is called when another
    replica turns out to hold the lease.
    """
    while True:
        await _acquire(lease, on_standby)
        _log.info("lease acquired", lease=lease.name)
        try:
            if await _work_while_held(lease, work):
                return
        finally:
            await lease.release()
        _log.warning("lease lost, waiting for it again", lease=lease.name)


async def _acquire(lease: Lease, on_standby: Callable[[], None]) -> None:
    has_complained = False
    while True:
        try:
            if await lease.try_acquire():
                return
            on_standby()
            if not has_complained:
                _log.info("another replica holds the lease, waiting", lease=lease.name)
        except StoreUnavailable as error:
            if not has_complained:
                _log.warning("lease cannot be asked for, trying again", lease=lease.name, error=str(error))
        has_complained = True
        await asyncio.sleep(ACQUIRE_INTERVAL_S)


async def _work_while_held(lease: Lease, work: Callable[[], Awaitable[None]]) -> bool:
    working = asyncio.ensure_future(work())
    beating = asyncio.ensure_future(_beat(lease))
    try:
        await asyncio.wait((working, beating), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
            return True
        return False
    finally:
        for task in (working, beating):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait((task,))


async def _beat(lease: Lease) -> None:
    while True:
        await asyncio.sleep(lease.heartbeat_interval_s)
        try:
            await lease.heartbeat()
        except OwnershipLost as error:
            _log.warning("lease heartbeat failed", lease=lease.name, error=str(error))
            return
