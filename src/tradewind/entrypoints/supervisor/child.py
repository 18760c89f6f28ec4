"""One supervised process: started, started again when it ends or does not answer, stopped when asked."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable

from tradewind.adapters.embedded.errors import EmbeddedServerError
from tradewind.adapters.embedded.processes import die_with_parent
from tradewind.entrypoints.supervisor.errors import ProcessNotReadyError
from tradewind.entrypoints.supervisor.output import Output
from tradewind.entrypoints.supervisor.spec import Check, Patience, ProcessSpec
from tradewind.operations.backoff import Backoff


class Child:
    """The life of one `ProcessSpec`, through all its restarts."""

    def __init__(
        self,
        spec: ProcessSpec,
        *,
        patience: Patience,
        show: Callable[[str], None],
        say: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        self.spec = spec
        self._patience = patience
        self._say = say
        """Shows a line of the supervisor's own."""
        self._on_change = on_change
        self._output = Output(show)
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._failed_starts = 0
        self._life: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return None if self._process is None else self._process.pid

    def begin(self) -> None:
        """Start it and keep it running from now on."""
        self._life = asyncio.create_task(self._live(), name=f"supervise {self.spec.name}")

    async def until_ready(self) -> None:
        """Wait until it is ready for the first time; raises `ProcessNotReadyError`."""
        deadline_s = time.monotonic() + self._patience.ready_timeout_s
        while not (self._process is not None and await self.spec.is_ready()):
            if self._life is not None and self._life.done():
                await self._life  # raises what ended it
            if self._failed_starts >= self._patience.failed_starts_max:
                raise self._not_ready(f"ended {self._failed_starts} times")
            if time.monotonic() > deadline_s:
                raise self._not_ready(f"was not ready within {self._patience.ready_timeout_s:g} s")
            await asyncio.sleep(self._patience.ready_interval_s)

    async def stop(self) -> None:
        """Ask it to end, wait, and end it if need be."""
        self._stopping.set()
        if self._process is not None:
            await self._end(self._process)
        if self._life is not None:
            await asyncio.wait([self._life])

    def kill(self) -> None:
        """End it and its children at once."""
        self._stopping.set()
        if self._process is not None:
            _kill_group(self._process.pid)

    async def _live(self) -> None:
        backoff = Backoff(
            initial_s=self._patience.restart_initial_s,
            maximum_s=self._patience.restart_maximum_s,
            factor=self._patience.restart_factor,
            source=random.Random(),  # noqa: S311 -- spreads delays, guards nothing
        )
        while not self._stopping.is_set():
            started_s = time.monotonic()
            ending = await self._run_once()
            if self._stopping.is_set():
                return
            if time.monotonic() - started_s >= self._patience.stable_after_s:
                backoff.reset()
                self._failed_starts = 0
            self._failed_starts += 1
            delay_s = backoff.next_delay_s()
            self._say(f"{self.spec.name} {ending}; starting it again in {delay_s:.1f} s")
            await _wait(self._stopping, delay_s)

    async def _run_once(self) -> str:
        """Run it until it ends; how it ended, in words."""
        try:
            await asyncio.to_thread(self.spec.prepare)
        except (EmbeddedServerError, OSError) as error:
            return f"could not be prepared ({error})"
        if self._stopping.is_set():
            return "was not started"
        write_end, pump = await self._output.open()
        try:
            process = await self._spawn(write_end)
        except OSError as error:
            return f"could not be started ({error})"
        finally:
            os.close(write_end)
        self._process = process
        self._on_change()
        if self._stopping.is_set():  # asked to stop between the two lines above
            await self._end(process)
        health = asyncio.create_task(self._watch(process, self.spec.is_alive)) if self.spec.is_alive else None
        status = await process.wait()
        self._process = None
        if health is not None:
            health.cancel()
        await asyncio.wait([pump], timeout=self._patience.drain_output_s)
        pump.cancel()
        self._on_change()
        return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

    async def _spawn(self, write_end: int) -> asyncio.subprocess.Process:
        user = self.spec.user
        return await asyncio.create_subprocess_exec(
            *self.spec.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            cwd=self.spec.folder,
            env=self.spec.environment,
            # Its own session: Ctrl-C in the terminal reaches us alone, and we stop everything in order.
            start_new_session=True,
            preexec_fn=die_with_parent(self.spec.stop_signal),
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
        )

    async def _watch(self, process: asyncio.subprocess.Process, is_alive: Check) -> None:
        began_s = time.monotonic()
        was_alive = False
        failures = 0
        while failures < self._patience.health_failures_max:
            await asyncio.sleep(self._patience.health_interval_s)
            if await is_alive():
                was_alive, failures = True, 0
            elif was_alive or time.monotonic() - began_s > self._patience.ready_timeout_s:
                failures += 1
        self._say(f"{self.spec.name} has not answered {failures} times; ending it")
        await self._end(process)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        process.send_signal(self.spec.stop_signal)
        try:
            async with asyncio.timeout(self.spec.stop_timeout_s):
                await process.wait()
        except TimeoutError:
            self._say(f"{self.spec.name} did not stop within {self.spec.stop_timeout_s:g} s; killing it")
            _kill_group(process.pid)
            await process.wait()

    def _not_ready(self, what: str) -> ProcessNotReadyError:
        return ProcessNotReadyError(f"{self.spec.name} {what}: its lines above say why")


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
