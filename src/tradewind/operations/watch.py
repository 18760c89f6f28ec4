"""Measures in the background what no request would: the checks of readiness, servers, the disk, the event loop.

    watch = Watch(probes, settings.data_dir)
    watch.measure("redis", redis_health.measure, MEASURE_INTERVAL_S)
    async with watch: ...

A measurement that fails or takes too long sets `tradewind_check_up{check=...}` to 0, is logged once, and is tried again.
"""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from tradewind.operations.logging import get_logger, mask_url_passwords
from tradewind.operations.metrics import (
    CHECK_SECONDS,
    CHECK_UP,
    DISK_FREE,
    DISK_TOTAL,
    EVENT_LOOP_LAG,
)
from tradewind.operations.probes import Probes

MEASURE_INTERVAL_S = 5.0
MEASURE_TIMEOUT_S = 4.0
"""A measurement that takes longer counts as failed."""
LOOP_TIMER_S = 0.5
LOOP_LAG_WINDOW = 20
"""How many timers the event loop's lag is the worst of."""

Measurement = Callable[[], Awaitable[None]]
"""Sets gauges; raises when it cannot."""

_log = get_logger(__name__)


class Watch:
    """Runs a process's measurements while it is open."""

    def __init__(self, probes: Probes, disk: Path) -> None:
        self._probes = probes
        self._disk = disk
        self._measurements: list[tuple[str, Measurement, float]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def measure(self, check: str, measurement: Measurement, interval_s: float = MEASURE_INTERVAL_S) -> Self:
        """Repeat `measurement`; `check` is what `tradewind_check_up` calls it. Before the watch is opened."""
        self._measurements.append((check, measurement, interval_s))
        return self

    async def __aenter__(self) -> Self:
        work = [_follow_loop(), self._follow_process(), *(_repeat(*m) for m in self._measurements)]
        self._tasks = [asyncio.create_task(one, name="watch") for one in work]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow_process(self) -> None:
        while True:
            await self._probes.readiness()
            usage = await asyncio.to_thread(_disk_usage, self._disk)
            if usage is not None:
                DISK_TOTAL.set(usage[0])
                DISK_FREE.set(usage[1])
            await asyncio.sleep(MEASURE_INTERVAL_S)


async def _repeat(check: str, measurement: Measurement, interval_s: float) -> None:
    was_up = True
    while True:
        began_s = time.perf_counter()
        # Whatever a measurement raises must not end the others, nor the service.
        (result,) = await asyncio.gather(_limited(measurement), return_exceptions=True)
        CHECK_SECONDS.labels(check=check).set(time.perf_counter() - began_s)
        is_up = not isinstance(result, BaseException)
        CHECK_UP.labels(check=check).set(is_up)
        if isinstance(result, BaseException) and was_up:
            reason = mask_url_passwords(f"{type(result).__name__}: {result}")
            _log.warning("measurement failed", check=check, reason=reason)
        was_up = is_up
        await asyncio.sleep(interval_s)


async def _limited(measurement: Measurement) -> None:
    async with asyncio.timeout(MEASURE_TIMEOUT_S):
        await measurement()


async def _follow_loop() -> None:
    loop = asyncio.get_running_loop()
    lags = [0.0] * LOOP_LAG_WINDOW
    turn = 0
    while True:
        due_s = loop.time() + LOOP_TIMER_S
        await asyncio.sleep(LOOP_TIMER_S)
        lags[turn] = max(loop.time() - due_s, 0.0)
        turn = (turn + 1) % LOOP_LAG_WINDOW
        EVENT_LOOP_LAG.set(max(lags))


def _disk_usage(path: Path) -> tuple[int, int] | None:
    """Size and free bytes of the disk of `path`, or of the nearest folder above it that there is."""
    for place in (path.absolute(), *path.absolute().parents):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        return usage.total, usage.free
    return None
